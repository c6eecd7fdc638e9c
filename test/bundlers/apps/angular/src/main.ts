import { Component } from '@angular/core';
import { bootstrapApplication } from '@angular/platform-browser';
import '../assets.js';
import { tried } from '../try-all.js';

@Component({ selector: 'app-root', template: '<p>App</p>' })
class App {}

bootstrapApplication(App).then(() => {
  Object.assign(globalThis, { tryAll: tried });
});

import './assets.js';
import './main.js';

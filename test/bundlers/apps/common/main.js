import { tried } from './try-all.js';

globalThis.tryAll = tried;

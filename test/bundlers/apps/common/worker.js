import { tried } from './try-all.js';

self.onmessage = async ({ data }) => self.postMessage(await tried(data));

import { tried } from './try-all.js';

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = async ({ data }) => port.postMessage(await tried(data));
};

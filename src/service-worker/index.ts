/** @module service-worker */

export { type RouteOptions, routeRequests } from './route-requests.js';
export { type ServeOptions, serveRequests } from './serve-requests.js';

declare module 's3rver' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  /** What is used of a package without types. */
  export default class S3rver {
    constructor(options: { silent: boolean; directory: string; configureBuckets: object[] });
    configureBuckets(): Promise<void>;
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  }
}

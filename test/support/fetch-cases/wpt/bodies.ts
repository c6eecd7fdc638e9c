export interface SomeBody {
  name: string;
  make(): BodyInit;
  /** What arrives, as Latin-1; undefined: it varies. */
  text?: string;
  /** `any`: it varies. */
  length: string;
  type: string | undefined;
}

const form = () => {
  const data = new FormData();
  data.append('name', 'value');
  return data;
};

const zeros = (bytes: number) => ({
  text: '\0'.repeat(bytes),
  length: String(bytes),
  type: undefined,
});

/** Bodies of every kind, as in basic/request-headers.any.js and basic/request-upload.any.js. */
export const bodies: SomeBody[] = [
  {
    name: 'a text',
    make: () => "Request's body",
    text: "Request's body",
    length: '14',
    type: 'text/plain;charset=UTF-8',
  },
  { name: 'a FormData', make: form, length: 'any', type: 'multipart/form-data; boundary=' },
  {
    name: 'URLSearchParams',
    make: () => new URLSearchParams('name=value'),
    text: 'name=value',
    length: '10',
    type: 'application/x-www-form-urlencoded;charset=UTF-8',
  },
  { name: 'a Blob', make: () => new Blob(['Test']), text: 'Test', length: '4', type: undefined },
  { name: 'an ArrayBuffer', make: () => new ArrayBuffer(4), ...zeros(4) },
  { name: 'a Uint8Array', make: () => new Uint8Array(4), ...zeros(4) },
  { name: 'an Int8Array', make: () => new Int8Array(4), ...zeros(4) },
  // Float16Array is missing in some of the engines; to a body it is any other view.
  { name: 'a Uint16Array', make: () => new Uint16Array(2), ...zeros(4) },
  { name: 'a Float32Array', make: () => new Float32Array(1), ...zeros(4) },
  { name: 'a Float64Array', make: () => new Float64Array(1), ...zeros(8) },
  { name: 'a DataView', make: () => new DataView(new ArrayBuffer(8), 0, 4), ...zeros(4) },
  {
    name: 'a Blob with a type',
    make: () => new Blob(['Test'], { type: 'text/maybe' }),
    text: 'Test',
    length: '4',
    type: 'text/maybe',
  },
];

export function streamOf(...chunks: unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A POST of a stream. */
export function streamed(body: BodyInit, rest: RequestInit = {}): RequestInit {
  return { method: 'POST', body, duplex: 'half', ...rest } as RequestInit;
}

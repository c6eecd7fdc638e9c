import { describe, expect, it } from 'vitest';
import {
  deferred,
  delay,
  linkedController,
  orAborted,
  SharedTask,
  Wakeup,
} from '../../../src/util/promises.js';

const reason = new Error('no longer');

describe('orAborted', () => {
  it('gives what the promise gives', async () => {
    expect(await orAborted(Promise.resolve(1), undefined)).toBe(1);
    expect(await orAborted(Promise.resolve(1), new AbortController().signal)).toBe(1);
  });

  it('rejects with the reason of a signal that is aborted, before or meanwhile', async () => {
    await expect(orAborted(new Promise(() => {}), AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = orAborted(new Promise(() => {}), controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('delay', () => {
  it('ends with its time or the signal', async () => {
    await delay(1, undefined);
    const controller = new AbortController();
    const waiting = delay(60_000, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('linkedController', () => {
  it('follows its signal until it is unlinked', () => {
    const outer = new AbortController();
    const [linked, unlinked] = [linkedController(outer.signal), linkedController(outer.signal)];
    unlinked.unlink();
    outer.abort(reason);
    expect(linked.controller.signal.reason).toBe(reason);
    expect(unlinked.controller.signal.aborted).toBe(false);
    expect(linkedController(outer.signal).controller.signal.reason).toBe(reason);
  });
});

describe('Wakeup', () => {
  it('ends the wait that is there, and no later one', async () => {
    const wakeup = new Wakeup();
    wakeup.wake();
    let woken = 0;
    const waits = async () => {
      await wakeup.wait();
      woken++;
    };
    const first = waits();
    wakeup.wake();
    await first;
    void waits();
    await delay(1, undefined);
    expect(woken).toBe(1);
  });
});

describe('a shared task', () => {
  it('gives its result to all who wait, and is not abandoned by that', async () => {
    const { promise, resolve } = deferred<number>();
    let abandoned: AbortSignal | undefined;
    const task = new SharedTask(signal => {
      abandoned = signal;
      return promise;
    });
    const all = Promise.all([task.join(), task.join()]);
    resolve(7);
    expect(await all).toEqual([7, 7]);
    expect([task.abandoned, abandoned?.aborted]).toEqual([false, false]);
  });

  it('is abandoned when the last one has gone', async () => {
    const task = new SharedTask(() => new Promise<never>(() => {}));
    const [one, other] = [new AbortController(), new AbortController()];
    const waits = [task.join(one.signal), task.join(other.signal)];
    one.abort(reason);
    await expect(waits[0]).rejects.toBe(reason);
    expect(task.abandoned).toBe(false);
    other.abort(reason);
    await expect(waits[1]).rejects.toBe(reason);
    expect(task.abandoned).toBe(true);
  });
});

'use client';
import { useEffect } from 'react';
import { tried } from '../try-all.js';

export default function Page() {
  useEffect(() => {
    globalThis.tryAll = tried;
  }, []);
  return <p>App</p>;
}

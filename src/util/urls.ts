/** The address as servers get it, and as a response shows it. */
export function withoutFragment({ href }: URL): string {
  const end = href.indexOf('#');
  return end < 0 ? href : href.slice(0, end);
}

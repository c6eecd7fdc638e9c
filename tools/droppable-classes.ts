/** Static blocks that do nothing but set constants. */
const CONSTANTS = /static \{((?:\s*this\.\w+ = (?:"[^"\n]*"|\d+|\w+);)+)\s*\}/g;
/** PKI.js makes an engine for cryptography when it is loaded. This package calls WebCrypto itself. */
const OWN_ENGINE = /^initCryptoEngine\(\);$/m;

/**
 * Lets the build drop the classes of PKI.js that are not used, which are most of it: a static block counts as a side effect, a static
 * field does not.
 */
export const droppableClasses = {
  name: 'droppable-classes',
  apply: 'build' as const,
  transform(code: string, id: string) {
    if (!/[\\/]pkijs[\\/]/.test(id)) return null;
    const withFields = code.replace(CONSTANTS, (_, constants: string) =>
      constants.replaceAll(/this\.(\w+ = )/g, 'static $1'),
    );
    const result = withFields.replace(OWN_ENGINE, '');
    if (withFields === code || result === withFields) throw new Error(`cannot take apart ${id}`);
    return { code: result, map: null };
  },
};

/**
 * A plugin of markdown-it: gives each cell of a table the heading of its column as `data-label`. A phone shows each row as a
 * list, where the label stands before the cell.
 */
export function tableLabels(md) {
  md.core.ruler.push('table-labels', ({ tokens }) => {
    let labels = [];
    let column = 0;
    for (const [index, token] of tokens.entries()) {
      if (token.type === 'table_open') labels = [];
      if (token.type === 'tr_open') column = 0;
      if (token.type === 'th_open') labels.push(textOf(tokens[index + 1]));
      if (token.type === 'td_open') {
        const label = labels[column++];
        if (label) token.attrSet('data-label', label);
      }
    }
  });
}

/** The text of a heading without its marks. */
function textOf({ children }) {
  return children.map(it => it.content).join('');
}

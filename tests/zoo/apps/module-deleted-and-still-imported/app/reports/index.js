import { bold } from './bold.js';
import { table } from './table.js';

export function report() {
  return bold('Sales') + table([['March', 12], ['April', 17]]);
}

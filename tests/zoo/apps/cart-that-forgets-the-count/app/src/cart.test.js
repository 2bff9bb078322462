import { expect, test } from 'vitest';
import { total } from './cart.js';

test('counts every piece', () => {
  expect(total([{ price: 3, count: 2 }])).toBe(6);
});

// What every system does with the body of a request in the app `orders`: the same bundle runs in all of them. Reading
// and writing JSON is each system's own, since that is part of what is measured.

import * as z from 'zod';

const Address = z.strictObject({
  name: z.string().min(1).max(80),
  street: z.string().min(1).max(120),
  postcode: z.string().regex(/^[A-Z0-9][A-Z0-9 -]{2,9}$/),
  city: z.string().min(1).max(80),
  country: z.string().length(2),
});

const Item = z.strictObject({
  sku: z.string().regex(/^[A-Z]{3}-\d{4}$/),
  title: z.string().min(1).max(120),
  quantity: z.int().min(1).max(999),
  unit_cents: z.int().nonnegative(),
  discount: z.number().min(0).max(1).optional(),
  tags: z.array(z.string().max(24)).max(8),
});

const Order = z.strictObject({
  id: z.uuid(),
  placed_at: z.iso.datetime(),
  currency: z.enum(['EUR', 'USD', 'GBP']),
  customer: z.strictObject({ email: z.email(), newsletter: z.boolean(), address: Address }),
  items: z.array(Item).min(1).max(100),
  note: z.string().max(500).optional(),
});

/** The status and the JSON value to answer for the value of a request's JSON. */
export function answer(value) {
  const parsed = Order.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ code, path }) => ({ code, path: path.join('.') }));
    return { status: 422, body: { issues } };
  }
  const { id, currency, items } = parsed.data;
  let units = 0;
  let total_cents = 0;
  for (const { quantity, unit_cents, discount = 0 } of items) {
    units += quantity;
    total_cents += Math.round(quantity * unit_cents * (1 - discount));
  }
  return { status: 200, body: { id, currency, units, total_cents } };
}

// A Hono app as it would run anywhere else: hob calls `app.fetch`.
//
//     curl http://127.0.0.1:8080/fn/hono/
//     curl http://127.0.0.1:8080/fn/hono/kettles/copper?litres=2
//     curl http://127.0.0.1:8080/fn/hono/orders -d '{"kettle":"copper","pieces":3}' -H 'content-type: application/json'
import { Hono } from 'hono';

const app = new Hono();

app.get('/', (c) => c.text('Kettles, warm ones\n'));

app.get('/kettles/:metal', (c) => {
  const litres = Number(c.req.query('litres') ?? '1');
  if (!(litres > 0 && litres <= 100)) return c.json({ error: 'litres: more than 0, at most 100' }, 400);
  return c.json({ metal: c.req.param('metal'), litres, price: litres * 20 });
});

app.post('/orders', async (c) => {
  const order: unknown = await c.req.json().catch(() => undefined);
  if (typeof order !== 'object' || order === null || !('kettle' in order)) {
    return c.json({ error: 'send {"kettle": …, "pieces": …}' }, 400);
  }
  return c.json({ accepted: order }, 201, { location: `/orders/${crypto.randomUUID()}` });
});

app.notFound((c) => c.json({ error: `nothing at ${c.req.path}` }, 404));

export default app;

/** Fails in as many attempts as the query says, or works for as many ms. */
export default async function retried(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const attempt = Number(request.headers.get('hob-attempt') ?? 0);
  await new Promise((resolve) => setTimeout(resolve, Number(searchParams.get('ms') ?? 0)));
  if (attempt <= Number(searchParams.get('failures') ?? 0)) throw new Error(`attempt ${attempt} fails`);
  return Response.json({ attempt, body: (await request.text()).length });
}

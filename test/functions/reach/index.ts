// Fetches the URL that it is given, and says what it got: the text, or the code of the error.
interface Failure {
  readonly code?: string;
  readonly cause?: { readonly code?: string };
}

export default async function reach(request: Request): Promise<Response> {
  const target = new URL(request.url).searchParams.get('url') ?? '';
  try {
    return new Response(await (await fetch(target)).text());
  } catch (error) {
    const failure = error as Failure;
    return new Response(failure.cause?.code ?? failure.code ?? String(error));
  }
}

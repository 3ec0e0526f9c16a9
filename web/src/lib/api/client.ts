import { base } from '$app/paths';
import createClient from 'openapi-fetch';
import { toApiError, unreachable } from './problems';
import type { paths } from './schema';

const UNABLE = [503, 507];

/** Called when the server refuses work because it is not ready, or when a socket is lost. */
export const unable: { heard: () => void } = { heard: () => {} };

async function reach(request: Request): Promise<Response> {
	try {
		const response = await fetch(request);
		if (UNABLE.includes(response.status)) unable.heard();
		return response;
	} catch (thrown) {
		if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown;
		throw unreachable();
	}
}

// Requests need an absolute address outside a browser, which is where the tests run.
const origin = typeof location === 'undefined' ? 'http://studio.test' : location.origin;

export const client = createClient<paths>({ baseUrl: origin + base, fetch: reach });

/** An address of the server, for links, media and sockets. */
export function address(path: string): string {
	return base + path;
}

/** The answer's data, or its problem thrown as an ApiError. */
export function unwrap<T>(result: { data?: T; error?: unknown; response: Response }): T {
	if (!result.response.ok) throw toApiError(result.error, result.response.status);
	return result.data as T;
}

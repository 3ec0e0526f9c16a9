import type { ChangedField, JobChangedDetails, ProblemDetails } from './types';

/** An error from the catalogue: `code` is stable, `hint` says what to do. */
export class ApiError extends Error {
	constructor(
		readonly code: string,
		readonly status: number,
		message: string,
		readonly hint: string
	) {
		super(message);
		this.name = 'ApiError';
	}
}

/** Others have changed the same fields of a job: each with its value now, and the revision that a change has to name. */
export class JobChangedError extends ApiError {
	readonly changed: readonly ChangedField[];
	readonly choices_revision: number;

	constructor({ code, status, title, hint, changed, choices_revision }: JobChangedDetails) {
		super(code, status, title, hint);
		this.changed = changed;
		this.choices_revision = choices_revision;
	}
}

export const UNREACHABLE = 'unreachable';

export function unreachable(): ApiError {
	return new ApiError(UNREACHABLE, 0, 'The server does not answer.', 'Check that AutoDubber is running; nothing you wrote is lost.');
}

function isProblem(body: unknown): body is ProblemDetails {
	return typeof body === 'object' && body !== null && 'code' in body && 'hint' in body;
}

/** The error in a response's body, from the server or from a proxy. */
export function toApiError(body: unknown, status: number): ApiError {
	if (!isProblem(body)) {
		return new ApiError('unknown', status, `The server answered with status ${status}.`, 'A proxy in between may have refused it; try again.');
	}
	if (body.code === 'job_changed') return new JobChangedError(body as JobChangedDetails);
	const said = body.title === body.detail || !body.detail ? body.title : `${body.title} ${body.detail}`;
	return new ApiError(body.code, body.status, said, body.hint);
}

/** Any thrown value as an ApiError. */
export function asApiError(thrown: unknown): ApiError {
	if (thrown instanceof ApiError) return thrown;
	return new ApiError('page', 0, thrown instanceof Error ? thrown.message : String(thrown), 'Reload the page.');
}

import { deleteJob, listJobs, summaryOf } from '$lib/api/jobs';
import { asApiError, type ApiError } from '$lib/api/problems';
import { LiveSocket, type Connection } from '$lib/api/socket';
import type { JobState, JobSummary, LibraryMessage, Link } from '$lib/api/types';

export type StateFilter = 'all' | 'running' | 'review' | 'completed' | 'failed';

const STATES: Record<StateFilter, JobState[]> = {
	all: [],
	running: ['queued', 'preparing', 'rendering'],
	review: ['review'],
	completed: ['completed'],
	failed: ['failed', 'cancelled']
};

/** The list of jobs, newest first, updated over one socket; the server does the searching. */
export class LibraryStore {
	#jobs = $state.raw<Map<string, JobSummary>>(new Map());
	#next = $state<string | null>(null);
	#loaded = $state(false);
	#error = $state.raw<ApiError | null>(null);
	#text = $state('');
	#filter = $state<StateFilter>('all');
	#connection = $state<Connection>('connecting');
	#messages = $state.raw<Map<string, string>>(new Map());
	#socket: LiveSocket<LibraryMessage> | null = null;
	#asking: AbortController | null = null;
	/** Hears of links, whose changes come over the same socket; the link is null when it is gone. */
	onLink: (link_id: string, link: Link | null) => void = () => {};
	/** Called whenever the socket has begun anew: what it tells from now on adds to what the server has now. */
	onBegun: () => void = () => {};

	readonly shown = $derived.by(() => {
		const states = STATES[this.#filter];
		const text = this.#text.trim().toLowerCase();
		return [...this.#jobs.values()]
			.filter((job) => (!states.length || states.includes(job.state)) && job.title.toLowerCase().includes(text))
			.sort((a, b) => b.created_at - a.created_at);
	});

	get loaded(): boolean {
		return this.#loaded;
	}
	get error(): ApiError | null {
		return this.#error;
	}
	get more(): boolean {
		return this.#next !== null;
	}
	get text(): string {
		return this.#text;
	}
	get filter(): StateFilter {
		return this.#filter;
	}
	get connection(): Connection {
		return this.#connection;
	}
	get filtered(): boolean {
		return this.#filter !== 'all' || this.#text.trim() !== '';
	}

	/** The fact that goes with a job's progress ("model: 120 of 144 MB"), or "". */
	message(job: JobSummary): string {
		return this.#messages.get(job.id) ?? '';
	}

	/** Active until the returned function is called. */
	open(): () => void {
		this.#socket = new LiveSocket<LibraryMessage>(
			'/ws',
			(message) => this.handle(message),
			(connection) => {
				this.#connection = connection;
				if (connection === 'lost' || connection === 'full') void this.load(); // some proxies block WebSockets
			}
		);
		void this.load();
		return () => this.#socket?.close();
	}

	async search(text: string, filter: StateFilter): Promise<void> {
		this.#text = text;
		this.#filter = filter;
		await this.load();
	}

	/** The first page, or with `further` the one after what is shown. */
	async load(further = false): Promise<void> {
		this.#asking?.abort();
		const asking = (this.#asking = new AbortController());
		const cursor = further ? (this.#next ?? undefined) : undefined;
		try {
			const page = await listJobs({ text: this.#text.trim(), states: STATES[this.#filter], cursor }, asking.signal);
			if (asking.signal.aborted) return;
			this.#put(page.jobs);
			this.#next = page.next;
			this.#error = null;
		} catch (thrown) {
			if (asking.signal.aborted) return;
			this.#error = asApiError(thrown);
		}
		this.#loaded = true;
	}

	handle(message: LibraryMessage): void {
		switch (message.type) {
			case 'library':
				this.#replace(message.jobs, message.total);
				this.onBegun();
				if (this.#error) void this.load(); // the error is over
				return;
			case 'state':
				this.#put([summaryOf(message.job)]);
				return;
			case 'progress':
				this.#progress(message);
				return;
			case 'deleted':
				this.#remove(message.job_id);
				return;
			case 'link':
				this.onLink(message.link_id, message.link);
		}
	}

	async delete(job: JobSummary): Promise<void> {
		await deleteJob(job.id);
		this.#remove(job.id);
	}

	#progress({ job_id, stage, stage_progress, progress, eta_s, message }: Extract<LibraryMessage, { type: 'progress' }>): void {
		const job = this.#jobs.get(job_id);
		if (!job) return;
		this.#put([{ ...job, stage, stage_progress, progress, eta_s }]);
		if (this.message(job) !== message) this.#messages = new Map(this.#messages).set(job_id, message);
	}

	/** The newest jobs as they are now; jobs missing among them were deleted while the socket was closed. */
	#replace(newest: JobSummary[], total: number): void {
		const oldest = total > newest.length ? Math.min(...newest.map((job) => job.created_at)) : -Infinity;
		this.#jobs = new Map([...this.#jobs].filter(([, job]) => job.created_at < oldest));
		this.#put(newest);
		this.#loaded = true;
	}

	#put(jobs: JobSummary[]): void {
		const all = new Map(this.#jobs);
		for (const job of jobs) all.set(job.id, job);
		this.#jobs = all;
	}

	#remove(job_id: string): void {
		if (!this.#jobs.has(job_id)) return;
		const all = new Map(this.#jobs);
		all.delete(job_id);
		this.#jobs = all;
	}
}

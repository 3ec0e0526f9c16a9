import { createJob } from '$lib/api/jobs';
import { chooseCaption, createLink, deleteLink, listLinks, retryLink } from '$lib/api/links';
import { asApiError, type ApiError } from '$lib/api/problems';
import type { Link } from '$lib/api/types';
import { captionOptions } from '$lib/format/links';
import { uploads } from './uploads.svelte';

/** Videos that the server downloads from addresses. One that was pasted here and has no captions to choose from becomes a job by itself. */
export class LinkStore {
	#links = $state.raw<ReadonlyMap<string, Link>>(new Map());
	#off = $state(true);
	#rights = $state('');
	#captions = $state.raw<ReadonlyMap<string, string>>(new Map());
	#starting = $state.raw<ReadonlySet<string>>(new Set());
	#errors = $state.raw<ReadonlyMap<string, ApiError>>(new Map());
	#ours = new Set<string>();

	readonly shown = $derived([...this.#links.values()].sort((a, b) => b.created_at - a.created_at));

	/** The server takes none, or has not said yet. */
	get off(): boolean {
		return this.#off;
	}
	/** What a person should know before pasting an address. */
	get rights(): string {
		return this.#rights;
	}

	/** The captions that become the lines; "" for recognition. */
	caption(link: Link): string {
		return this.#captions.get(link.id) ?? link.caption ?? '';
	}
	starting(link: Link): boolean {
		return this.#starting.has(link.id);
	}
	/** Why no job could be made of it. */
	error(link: Link): ApiError | null {
		return this.#errors.get(link.id) ?? null;
	}

	/** All links as the server has them. */
	async load(): Promise<void> {
		const { off, rights, links } = await listLinks();
		this.#off = off;
		this.#rights = rights;
		this.#links = new Map(links.map((link) => [link.id, link]));
		for (const link of links) this.#startOurs(link);
	}

	/** A change that the server tells; null: the link is gone. */
	take(link_id: string, link: Link | null): void {
		const all = new Map(this.#links);
		if (link) all.set(link_id, link);
		else all.delete(link_id);
		this.#links = all;
		if (link) this.#startOurs(link);
	}

	async add(url: string): Promise<void> {
		const link = await createLink(url.trim());
		this.#ours.add(link.id);
		if (!this.#links.has(link.id)) this.take(link.id, link); // the socket may have been faster
	}

	choose(link: Link, caption: string): void {
		this.#captions = new Map(this.#captions).set(link.id, caption);
	}

	async retry(link: Link): Promise<void> {
		this.#ours.add(link.id);
		const again = await retryLink(link.id);
		if (this.#links.get(link.id)?.state === 'failed') this.take(link.id, again);
	}

	async remove(link: Link): Promise<void> {
		await deleteLink(link.id);
		this.take(link.id, null);
	}

	/** Makes the job of a finished link, with the captions that were chosen as its lines. */
	async start(link: Link): Promise<void> {
		if (!link.upload_id || this.#starting.has(link.id)) return;
		this.#starting = new Set(this.#starting).add(link.id);
		this.#errors = new Map([...this.#errors].filter(([id]) => id !== link.id));
		try {
			const chosen = link.captions.find((caption) => caption.id === this.caption(link));
			const subtitles_upload_id = chosen ? (await chooseCaption(link.id, chosen.id)).subtitles_upload_id : null;
			const options = chosen ? captionOptions(uploads.options, chosen.language) : uploads.options;
			const job = await createJob({ upload_id: link.upload_id, options, title: link.title, subtitles_upload_id });
			await this.remove(link);
			uploads.onCreated(job);
		} catch (thrown) {
			this.#errors = new Map(this.#errors).set(link.id, asApiError(thrown));
		}
		this.#starting = new Set([...this.#starting].filter((id) => id !== link.id));
	}

	#startOurs(link: Link): void {
		if (link.state !== 'finished' || link.captions.length || !this.#ours.delete(link.id)) return;
		void this.start(link);
	}
}

export const links = new LinkStore();

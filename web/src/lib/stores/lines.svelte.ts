import { ApiError, asApiError } from '$lib/api/problems';
import { editSegments, getSegments, mergeSegment, splitSegment } from '$lib/api/segments';
import { applyTranslation, translateSegments, undoTranslation } from '$lib/api/translation';
import { addSpeaker, changeSpeaker, cloneSpeaker, forgetClone, mergeSpeaker, removeSpeaker } from '$lib/api/speakers';
import type { BroughtTranslation, Segment, SegmentChanges, Segments, Speaker, SpeakerPatch } from '$lib/api/types';
import { History, type Snapshot } from './history.svelte';
import { Line, pick, type Draft } from './line.svelte';

export type Saving = 'saved' | 'waiting' | 'saving' | 'failed' | 'conflict';

const AUTOSAVE_MS = 700;

/**
 * The lines of a job, editable. What the person writes is kept here until the server has it, whatever happens to the
 * connection; saves follow one another, each for the revision it was made on (If-Match).
 */
export class LinesStore {
	#lines = $state.raw<Line[]>([]);
	#speakers = $state.raw<readonly Speaker[]>([]);
	#revision = $state(0);
	#busy = $state(false);
	#error = $state.raw<ApiError | null>(null);
	#timer: ReturnType<typeof setTimeout> | undefined;
	#queue: Promise<unknown> = Promise.resolve();
	/** The change of many lines that is on its way. Its lines may be seen before its answer, which names its undo. */
	#bringing: Promise<unknown> = Promise.resolve();
	#history = new History();

	readonly dirty = $derived.by(() => this.#lines.some((line) => line.dirty));
	readonly conflicts = $derived.by(() => this.#lines.filter((line) => line.theirs));
	readonly saving = $derived.by((): Saving => {
		if (this.#busy) return 'saving';
		if (this.conflicts.length) return 'conflict';
		if (this.#error) return 'failed';
		return this.dirty ? 'waiting' : 'saved';
	});

	constructor(
		readonly job_id: string,
		private readonly autosave_ms = AUTOSAVE_MS
	) {}

	get all(): readonly Line[] {
		return this.#lines;
	}
	get speakers(): readonly Speaker[] {
		return this.#speakers;
	}
	get revision(): number {
		return this.#revision;
	}
	get error(): ApiError | null {
		return this.#error;
	}
	get history(): History {
		return this.#history;
	}

	/** Who says the line; undefined when that is not known. */
	speakerOf(line: Line): Speaker | undefined {
		return this.#speakers.find((speaker) => speaker.id === line.speaker);
	}

	find(id: string): Line | undefined {
		return this.#lines.find((line) => line.id === id);
	}

	// ---- updates from the server

	/** All lines as the server has them; what the person has not saved yet stays. */
	take({ revision, segments, speakers = [] }: Segments): void {
		if (revision < this.#revision) return;
		const known = new Map(this.#lines.map((line) => [line.id, line]));
		this.#lines = segments.map((segment) => merged(known.get(segment.id), segment));
		this.#speakers = speakers;
		this.#revision = revision;
	}

	/** Some lines as the server has them now, and those that are gone. */
	apply(revision: number, changed: readonly Segment[], removed: readonly string[], speakers?: readonly Speaker[] | null): void {
		if (revision < this.#revision) return;
		const lines = new Map(this.#lines.map((line) => [line.id, line]));
		for (const id of removed) lines.delete(id);
		for (const segment of changed) lines.set(segment.id, merged(lines.get(segment.id), segment));
		this.#lines = [...lines.values()].sort((a, b) => a.saved.start_s - b.saved.start_s);
		if (speakers) this.#speakers = speakers;
		this.#revision = revision;
	}

	// ---- edits

	write(line: Line, changes: Partial<Draft>): void {
		this.#history.remember(this.#snapshot, `${line.id} ${Object.keys(changes).join(' ')}`);
		line.write(changes);
		this.#soon();
	}

	async add(draft: Pick<Draft, 'text' | 'start_s' | 'end_s' | 'speaker'>): Promise<void> {
		this.#history.remember(this.#snapshot);
		const { text, start_s, end_s, speaker } = draft;
		await this.#now(() => this.#change({ add: [{ text, start_s, end_s, speaker }] }));
	}

	async remove(line: Line): Promise<void> {
		this.#history.remember(this.#snapshot);
		await this.#now(() => this.#change({ remove: [line.id] }));
	}

	async split(line: Line, at: number): Promise<void> {
		await this.#saved();
		this.#history.remember(this.#snapshot);
		await this.#now(() => splitSegment(this.job_id, line.id, this.#revision, at));
	}

	async merge(line: Line): Promise<void> {
		await this.#saved();
		this.#history.remember(this.#snapshot);
		await this.#now(() => mergeSegment(this.job_id, line.id, this.#revision));
	}

	// ---- speakers: what is written of the lines is saved first, so that it is not undone by who says them

	/** A new speaker, who says these lines. */
	async addSpeaker(lines: readonly string[]): Promise<void> {
		await this.#cast(() => addSpeaker(this.job_id, this.#revision, lines));
	}

	async changeSpeaker(speaker_id: string, changes: SpeakerPatch): Promise<void> {
		await this.#cast(() => changeSpeaker(this.job_id, speaker_id, this.#revision, changes));
	}

	async mergeSpeaker(speaker_id: string, into: string): Promise<void> {
		await this.#cast(() => mergeSpeaker(this.job_id, speaker_id, this.#revision, into));
	}

	async removeSpeaker(speaker_id: string): Promise<void> {
		await this.#cast(() => removeSpeaker(this.job_id, speaker_id, this.#revision));
	}

	async cloneVoice(speaker_id: string): Promise<void> {
		await this.#cast(() => cloneSpeaker(this.job_id, speaker_id, this.#revision));
	}

	async forgetClone(speaker_id: string): Promise<void> {
		await this.#cast(() => forgetClone(this.job_id, speaker_id, this.#revision));
	}

	// ---- translations: what is written is saved first

	/** Gives the lines a translation that the person brings, as the preview of `revision` showed it; the name of its undo. */
	async bring(body: BroughtTranslation, revision: number): Promise<string> {
		let undo = '';
		const brought = this.#now(async () => {
			const done = await applyTranslation(this.job_id, revision, body);
			undo = done.undo;
			if (undo) this.#history.rememberGroup(undo);
			return done;
		});
		this.#bringing = brought.catch(() => undefined); // the caller is told
		await brought;
		return undo;
	}

	/** Takes a change of many lines back; how many lines stay because they were edited after it. */
	async takeBack(undo: string): Promise<number> {
		await this.#saved();
		this.#history.forgetGroup(undo);
		let kept = 0;
		await this.#now(async () => {
			const done = await undoTranslation(this.job_id, this.#revision, undo);
			kept = done.kept.length;
			return done;
		});
		return kept;
	}

	/** Translates lines again, some at a time; how many stay as they were. `going` is asked before each part. */
	async translateAgain(what: { ids: string[] } | { which: 'all' | 'stale' | 'failed' }, going: () => boolean = () => true): Promise<number> {
		await this.#saved();
		this.#history.remember(this.#snapshot);
		let kept = 0;
		let after: string | undefined;
		do {
			await this.#now(async () => {
				const done = await translateSegments(this.job_id, this.#revision, after ? { ...what, after } : what);
				kept += done.kept.length;
				after = done.next ?? undefined;
				return done;
			});
		} while (after && going());
		return kept;
	}

	async #cast(send: () => Promise<Segments>): Promise<void> {
		await this.#saved();
		await this.#now(send);
	}

	settle(line: Line, choice: 'mine' | 'theirs'): void {
		line.settle(choice);
		this.#soon();
	}

	undo = async (): Promise<void> => {
		await this.#bringing;
		const target = this.#history.undo(this.#snapshot());
		if (target && 'undo' in target) await this.takeBack(target.undo);
		else await this.#restore(target);
	};
	redo = async (): Promise<void> => {
		await this.#bringing;
		await this.#restore(this.#history.redo(this.#snapshot()));
	};

	/** Saves what is unsaved, now. Rejects when it could not be saved. */
	async flush(): Promise<void> {
		clearTimeout(this.#timer);
		await this.#now(() => this.#change({}));
	}

	/** The server is reachable again: unsaved changes are saved now. */
	reconnected(): void {
		if (this.dirty) this.#soon();
	}

	close(): void {
		clearTimeout(this.#timer);
		if (this.dirty) void this.flush().catch(() => undefined); // the page is being left, so an error cannot be shown
	}

	// ---- saving

	#soon(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.flush().catch(() => undefined), this.autosave_ms); // shown by `saving` and `error`
	}

	async #saved(): Promise<void> {
		if (this.dirty) await this.flush();
	}

	/** One change of the lines after the other; after a failure, the lines are read again to detect a concurrent edit. */
	#now(send: () => Promise<Segments | null>): Promise<void> {
		const turn = this.#queue.then(() => this.#attempt(send));
		this.#queue = turn.catch(() => undefined);
		return turn;
	}

	async #attempt(send: () => Promise<Segments | null>): Promise<void> {
		this.#busy = true;
		try {
			const result = await this.#retrying(send);
			if (result) this.take(result);
			this.#error = null;
		} catch (thrown) {
			this.#error = asApiError(thrown);
			throw thrown;
		} finally {
			this.#lines.forEach((line) => line.sent());
			this.#busy = false;
			if (!this.#error && this.#lines.some((line) => line.dirty && !line.theirs)) this.#soon();
		}
	}

	async #retrying(send: () => Promise<Segments | null>): Promise<Segments | null> {
		try {
			return await send();
		} catch (thrown) {
			if (!(thrown instanceof ApiError) || thrown.status !== 412) throw thrown;
			this.#lines.forEach((line) => line.sent());
			this.take(await getSegments(this.job_id));
			return send(); // for the new revision; lines in conflict wait for the person
		}
	}

	/** Unsaved edits, together with `changes`; null when there is nothing to send. */
	async #change(changes: SegmentChanges): Promise<Segments | null> {
		const gone = new Set(changes.remove);
		const edit = this.#lines.filter((line) => !gone.has(line.id)).flatMap((line) => line.send() ?? []);
		if (!edit.length && !changes.add?.length && !changes.remove?.length) return null;
		return editSegments(this.job_id, this.#revision, { ...changes, edit });
	}

	// ---- undo

	#snapshot = (): Snapshot => this.#lines.map((line) => ({ id: line.id, draft: line.draft }));

	async #restore(target: Snapshot | null): Promise<void> {
		if (!target) return;
		const here = new Map(this.#lines.map((line) => [line.id, line]));
		const known = new Set(['', ...this.#speakers.map((speaker) => speaker.id)]);
		const said = (draft: Draft): Draft => ({ ...draft, speaker: known.has(draft.speaker) ? draft.speaker : '' }); // who is gone stays gone
		for (const { id, draft } of target) {
			const line = here.get(id);
			line?.write({ ...said(draft), original: draft.original || line.original }); // a translated line keeps its source
		}
		const wanted = new Set(target.map(({ id }) => id));
		const add = target.filter(({ id }) => !here.has(id));
		const remove = [...here.keys()].filter((id) => !wanted.has(id));
		if (!add.length && !remove.length) return this.#soon();
		const news = add.map(({ draft }) => said(draft)).map(({ text, start_s, end_s, speaker }) => ({ text, start_s, end_s, speaker }));
		await this.#now(() => this.#change({ add: news, remove }));
		this.#adopt(add, here);
	}

	/** Restored lines have new ids, which the history must use. */
	#adopt(added: Snapshot, before: Map<string, Line>): void {
		const fresh = this.#lines.filter((line) => !before.has(line.id));
		for (const { id, draft } of added) {
			const line = fresh.find((l) => Math.abs(l.start_s - draft.start_s) < 0.01 && l.text === draft.text.trim());
			if (!line) continue;
			this.#history.rename(id, line.id);
			if (draft.skip || draft.start_locked || draft.locked_rate !== null) line.write(pick(draft));
		}
		if (this.dirty) this.#soon();
	}
}

function merged(line: Line | undefined, segment: Segment): Line {
	if (!line) return new Line(segment);
	line.merge(segment);
	return line;
}

import type { LeftOut, Segment, SegmentEdit } from '$lib/api/types';
import { charactersOver, charactersPerSecond, pace } from '$lib/format/reading';

export const FIELDS = ['text', 'original', 'start_s', 'end_s', 'speaker', 'skip', 'start_locked', 'locked_rate'] as const;
export type Field = (typeof FIELDS)[number];
export type Draft = Required<Pick<Segment, Field>>;

export const pick = (from: Pick<Segment, Field>): Draft => ({
	text: from.text,
	original: from.original ?? '',
	start_s: from.start_s,
	end_s: from.end_s,
	speaker: from.speaker,
	skip: from.skip,
	start_locked: from.start_locked ?? false,
	locked_rate: from.locked_rate ?? null
});

/** Whether two values of a field say the same; the server may tidy the spaces of a text. */
function same(a: Draft[Field], b: Draft[Field]): boolean {
	if (typeof a === 'string' && typeof b === 'string') return a.replace(/\s+/g, ' ').trim() === b.replace(/\s+/g, ' ').trim();
	if (typeof a === 'number' && typeof b === 'number') return Math.abs(a - b) < 0.0005;
	return a === b;
}

/** One line: what the server has, what the person wrote, and what someone else wrote meanwhile. */
export class Line {
	readonly id: string;
	#saved = $state.raw<Segment & Draft>() as Segment & Draft;
	#draft = $state.raw<Draft>() as Draft;
	#theirs = $state.raw<Partial<Draft> | null>(null);
	#sent: Partial<Draft> = {};

	readonly dirty = $derived.by(() => FIELDS.some((field) => !same(this.#draft[field], this.#saved[field])));
	readonly duration_s = $derived.by(() => this.#draft.end_s - this.#draft.start_s);
	readonly cps = $derived.by(() => charactersPerSecond(this.#draft.text, this.duration_s));
	readonly pace = $derived.by(() => (this.#draft.skip ? 'easy' : pace(this.cps)));
	readonly over = $derived.by(() => (this.#draft.skip ? 0 : charactersOver(this.#draft.text, this.duration_s)));

	constructor(segment: Segment) {
		this.id = segment.id;
		this.#saved = { ...segment, ...pick(segment) };
		this.#draft = pick(segment);
	}

	get saved(): Segment {
		return this.#saved;
	}
	get text(): string {
		return this.#draft.text;
	}
	/** Who says it, "" when that is not known. */
	get speaker(): string {
		return this.#draft.speaker;
	}
	/** The parts of the source text that are not spoken. */
	get left_out(): readonly LeftOut[] {
		return this.#saved.left_out ?? [];
	}
	/** What it was translated from; "" where it was not translated. */
	get original(): string {
		return this.#draft.original;
	}
	get translation(): '' | 'done' | 'failed' | 'stale' {
		return this.#saved.translation ?? '';
	}
	/** Nothing of it is spoken because it has no speech, not because the user skipped it. */
	get unspoken(): boolean {
		return this.skip && this.left_out.length > 0 && same(this.text, this.#saved.source_text);
	}
	get start_s(): number {
		return this.#draft.start_s;
	}
	get end_s(): number {
		return this.#draft.end_s;
	}
	get skip(): boolean {
		return this.#draft.skip;
	}
	/** The voice starts at `start_s` exactly. */
	get start_locked(): boolean {
		return this.#draft.start_locked;
	}
	/** The voice is played exactly this many times as fast as spoken; null: automatic. */
	get locked_rate(): number | null {
		return this.#draft.locked_rate;
	}
	get draft(): Draft {
		return this.#draft;
	}
	/** What another page saved for the fields that the person changed too; null: no conflict. */
	get theirs(): Partial<Draft> | null {
		return this.#theirs;
	}

	write(changes: Partial<Draft>): void {
		this.#draft = { ...this.#draft, ...changes };
	}

	/** The changes to send; they are recorded, so that their echo is not treated as another user's edit. Null: nothing to save, or a conflict. */
	send(): SegmentEdit | null {
		if (this.#theirs || !this.dirty) return null;
		this.#sent = Object.fromEntries(FIELDS.filter((f) => !same(this.#draft[f], this.#saved[f])).map((f) => [f, this.#draft[f]]));
		return { id: this.id, ...this.#sent };
	}

	/** The save came back, well or not. */
	sent(): void {
		this.#sent = {};
	}

	/** Takes over what the server has, field by field: what the person changed stays, and is a conflict where both did. */
	merge(segment: Segment): void {
		const server = { ...segment, ...pick(segment) };
		const draft: Draft = { ...this.#draft };
		const theirs: Partial<Draft> = {};
		for (const field of FIELDS) {
			const [before, mine, now] = [this.#saved[field], this.#draft[field], server[field]];
			if (same(mine, before)) {
				if (!same(mine, now)) Object.assign(draft, { [field]: now });
			} else if (!same(now, before) && !same(now, mine) && !(field in this.#sent && same(now, this.#sent[field] as Draft[Field]))) {
				Object.assign(theirs, { [field]: now });
			}
		}
		this.#saved = server;
		this.#draft = draft;
		if (Object.keys(theirs).length) this.#theirs = { ...this.#theirs, ...theirs };
	}

	/** Ends a conflict: with the person's own words, or with the others'. */
	settle(choice: 'mine' | 'theirs'): void {
		if (choice === 'theirs' && this.#theirs) this.write(this.#theirs);
		this.#theirs = null;
	}
}

import type { Draft } from './line.svelte';

export type Snapshot = { id: string; draft: Draft }[];
/** A change of many lines that the server takes back as one. */
export interface Group {
	undo: string;
}

const DEPTH = 200;
const BURST_MS = 1500;

/** What the lines were before each step. Typing in one field counts as one step until the person pauses. */
export class History {
	#past = $state.raw<(Snapshot | Group)[]>([]);
	#future = $state.raw<Snapshot[]>([]);
	#burst = { what: '', at_ms: 0 };

	get canUndo(): boolean {
		return this.#past.length > 0;
	}
	get canRedo(): boolean {
		return this.#future.length > 0;
	}

	/** Keeps how things were before a change. `what` names the field that is being typed into. */
	remember(before: () => Snapshot, what = ''): void {
		const now = Date.now();
		const goesOn = what !== '' && this.#burst.what === what && now - this.#burst.at_ms < BURST_MS;
		this.#burst = { what, at_ms: now };
		if (goesOn) return;
		this.#past = [...this.#past.slice(1 - DEPTH), before()];
		this.#future = [];
	}

	/** A change of many lines was made by the server, which can take it back. */
	rememberGroup(undo: string): void {
		this.#burst.what = '';
		this.#past = [...this.#past.slice(1 - DEPTH), { undo }];
		this.#future = [];
	}

	/** The change was taken back, or cannot be. */
	forgetGroup(undo: string): void {
		this.#past = this.#past.filter((step) => !('undo' in step) || step.undo !== undo);
	}

	undo(current: Snapshot): Snapshot | Group | null {
		const target = this.#past.at(-1);
		if (!target) return null;
		this.#past = this.#past.slice(0, -1);
		this.#future = 'undo' in target ? [] : [...this.#future, current];
		this.#burst.what = '';
		return target;
	}

	redo(current: Snapshot): Snapshot | null {
		const target = this.#future.at(-1);
		if (!target) return null;
		this.#future = this.#future.slice(0, -1);
		this.#past = [...this.#past, current];
		this.#burst.what = '';
		return target;
	}

	rename(from: string, to: string): void {
		const renamed = (snapshots: Snapshot[]) => snapshots.map((s) => s.map((line) => (line.id === from ? { ...line, id: to } : line)));
		this.#past = this.#past.map((step) => ('undo' in step ? step : (renamed([step])[0] ?? step)));
		this.#future = renamed(this.#future);
	}
}

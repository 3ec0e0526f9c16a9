import type { Draft } from './line.svelte';

export type Snapshot = { id: string; draft: Draft }[];

const DEPTH = 200;
const BURST_MS = 1500;

/** What the lines were before each step. Typing in one field counts as one step until the person pauses. */
export class History {
	#past = $state.raw<Snapshot[]>([]);
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

	undo(current: Snapshot): Snapshot | null {
		const target = this.#past.at(-1);
		if (!target) return null;
		this.#past = this.#past.slice(0, -1);
		this.#future = [...this.#future, current];
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
		this.#past = renamed(this.#past);
		this.#future = renamed(this.#future);
	}
}

import type { Line } from './line.svelte';

/** Which lines the editor shows: those that match a text, or those that another part of the page selects. */
export class LineFilter {
	text = $state('');
	#title = $state('');
	#ids = $state.raw<Set<string> | null>(null);
	#shown = $state(0);

	/** "3 lines to shorten"; "" when all are shown. */
	get title(): string {
		return this.#title;
	}
	/** Grows with every `show`, so that the editor can come into view again. */
	get shown(): number {
		return this.#shown;
	}

	/** Only these lines, until `clear`: a line that is fixed meanwhile stays. */
	show(title: string, ids: readonly string[]): void {
		this.text = '';
		this.#title = title;
		this.#ids = new Set(ids);
		this.#shown += 1;
	}

	clear(): void {
		this.text = '';
		this.#title = '';
		this.#ids = null;
	}

	keeps(lines: readonly Line[]): readonly Line[] {
		const [ids, wanted] = [this.#ids, this.text.trim().toLowerCase()];
		if (!ids && !wanted) return lines;
		return lines.filter((line) => (!ids || ids.has(line.id)) && line.text.toLowerCase().includes(wanted));
	}
}

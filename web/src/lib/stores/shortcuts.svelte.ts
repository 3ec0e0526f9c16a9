export interface Shortcut {
	/** What is pressed: `?`, `Space`, `Mod+Z` (Ctrl, or Cmd on a Mac). */
	keys: string[];
	title: string;
	group: string;
	run: () => void;
	/** Also while the person writes in a field. */
	whileTyping?: boolean;
}

const TYPING = 'input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]';

// A slider and a group of choices are moved with the arrows.
const STEERED = 'input[type=range], input[type=radio]';
const STEERING = /^(Arrow|Page|Home$|End$)/;

/** How a key press is written: modifiers first, then the key. */
export function pressed(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>): string {
	const key = event.key === ' ' ? 'Space' : event.key.length === 1 ? event.key.toUpperCase() : event.key;
	const letter = /^[A-Z]$/.test(key);
	const parts = [event.ctrlKey || event.metaKey ? 'Mod' : '', event.altKey ? 'Alt' : '', event.shiftKey && (letter || key.length > 1) ? 'Shift' : '', key];
	return parts.filter(Boolean).join('+');
}

/** The keys that do something on this page; pages add theirs while they are open. */
export class ShortcutStore {
	#all = $state.raw<Shortcut[]>([]);
	helpOpen = $state(false);

	get all(): readonly Shortcut[] {
		return this.#all;
	}

	/** Adds keys; the returned function takes them away. */
	add(shortcuts: Shortcut[]): () => void {
		this.#all = [...this.#all, ...shortcuts];
		return () => (this.#all = this.#all.filter((s) => !shortcuts.includes(s)));
	}

	handle = (event: KeyboardEvent): void => {
		if (event.defaultPrevented || event.isComposing) return;
		const target = event.target instanceof Element ? event.target : null;
		if (target?.closest('dialog[open]')) return;
		const typing = target?.closest(TYPING) != null;
		const activates = target?.closest('button, a, summary, input, video') != null && (event.key === ' ' || event.key === 'Enter');
		if (target?.closest(STEERED) && STEERING.test(event.key)) return;
		const keys = pressed(event);
		const shortcut = this.#all.findLast((s) => s.keys.includes(keys) && (s.whileTyping || (!typing && !activates)));
		if (!shortcut) return;
		event.preventDefault();
		shortcut.run();
	};
}

export const shortcuts = new ShortcutStore();

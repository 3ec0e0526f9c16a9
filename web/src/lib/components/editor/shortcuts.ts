import type { JobStore } from '$lib/stores/job.svelte';
import type { Line } from '$lib/stores/line.svelte';
import type { PlayerStore } from '$lib/stores/player.svelte';
import type { Shortcut } from '$lib/stores/shortcuts.svelte';
import { toasts } from '$lib/stores/toasts.svelte';

interface Context {
	store: JobStore;
	player: PlayerStore;
	/** The line that is written in. */
	focused: () => Line | undefined;
	/** The line at the player's position. */
	active: () => Line | undefined;
	focus: (line: Line | undefined) => Promise<void>;
}

/** The keys of a job's page. */
export function editorShortcuts({ store, player, focused, active, focus }: Context): Shortcut[] {
	const { lines } = store;
	const neighbour = (by: number) => {
		const all = lines.all;
		const here = all.findIndex((line) => line === (focused() ?? active()));
		return all[Math.min(all.length - 1, Math.max(0, here + by))];
	};
	const playing = (keys: string[], title: string, run: () => void): Shortcut => ({ keys, title, group: 'Playing', run });
	const editing = (keys: string[], title: string, run: () => void): Shortcut => ({ keys, title, group: 'Editing', run, whileTyping: true });
	return [
		playing(['Space', 'K'], 'Play or pause', () => void toasts.guard(() => player.toggle())),
		playing(['ArrowLeft', 'J'], '3 seconds back', () => player.seek(player.time_s - 3)),
		playing(['ArrowRight', 'L'], '3 seconds on', () => player.seek(player.time_s + 3)),
		playing(['O'], 'Original or dub', () => store.rendered && void toasts.guard(() => player.choose(player.take === 'dub' ? 'original' : 'dub'))),
		playing(['C'], 'Captions on or off', () => (player.captions = !player.captions)),
		{ keys: ['E'], title: 'Edit the line that is heard', group: 'Editing', run: () => void focus(active() ?? lines.all[0]) },
		editing(['Alt+ArrowDown'], 'Next line', () => void focus(neighbour(1))),
		editing(['Alt+ArrowUp'], 'Previous line', () => void focus(neighbour(-1))),
		editing(['Alt+Enter'], 'Hear the line in the new voice', () => {
			const line = focused() ?? active();
			if (line) void toasts.guard(() => heard(store, player, line));
		}),
		editing(['Mod+Z'], 'Undo', () => store.editable && void toasts.guard(async () => lines.undo())),
		editing(['Mod+Shift+Z', 'Mod+Y'], 'Redo', () => store.editable && void toasts.guard(async () => lines.redo())),
		editing(['Mod+S'], 'Save now', () => void toasts.guard(() => lines.flush()))
	];
}

/** Plays a line as it will be spoken, with the words as they stand. */
export async function heard({ lines }: Pick<JobStore, 'lines'>, player: PlayerStore, line: Line): Promise<void> {
	if (line.dirty) await lines.flush();
	await player.preview(lines.job_id, line.id);
}

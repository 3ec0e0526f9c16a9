export type Theme = 'system' | 'light' | 'dark';

const KEY = 'autodubber.theme'; // also read by static/theme.js before the first paint

/** Light, dark or as the system has it; the only preference that this browser keeps. */
export class ThemeStore {
	#theme = $state<Theme>('system');

	get theme(): Theme {
		return this.#theme;
	}

	/** Reads the choice and follows the system from now on; returns how to stop. */
	follow(): () => void {
		const stored = localStorage.getItem(KEY);
		this.#theme = stored === 'light' || stored === 'dark' ? stored : 'system';
		const system = matchMedia('(prefers-color-scheme: dark)');
		const show = () => this.#show();
		system.addEventListener('change', show);
		return () => system.removeEventListener('change', show);
	}

	choose(theme: Theme): void {
		this.#theme = theme;
		if (theme === 'system') localStorage.removeItem(KEY);
		else localStorage.setItem(KEY, theme);
		this.#show();
	}

	#show(): void {
		const dark = this.#theme === 'dark' || (this.#theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
		document.documentElement.dataset.theme = dark ? 'dark' : 'light';
	}
}

export const theme = new ThemeStore();

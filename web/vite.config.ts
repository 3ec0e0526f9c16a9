import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

const server = process.env.AUTODUBBER_SERVER ?? 'http://127.0.0.1:8000';
const routes = ['/api', '/media', '/download', '/health', '/schema'];

export default defineConfig({
	plugins: [tailwindcss(), sveltekit()],
	build: { target: 'es2022', assetsInlineLimit: 0 }, // the policy allows no data: fonts or scripts
	server: {
		proxy: {
			...Object.fromEntries(routes.map((route) => [route, { target: server }])),
			'/ws': { target: server, ws: true }
		}
	},
	test: {
		include: ['src/**/*.test.ts'],
		environment: 'node',
		setupFiles: ['src/test-setup.ts']
	},
	resolve: process.env.VITEST ? { conditions: ['browser'] } : undefined
});

declare global {
	namespace App {
		interface Error {
			code?: string;
			hint?: string;
		}
	}
}

export {};

// A static single page: the server's own data arrives over the API.
export const ssr = false;
export const prerender = false;

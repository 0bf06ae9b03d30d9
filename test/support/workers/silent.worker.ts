// Never calls serveHandlers.
export {}

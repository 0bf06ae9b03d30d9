export { DurableObjectBackend, type DurableObjectBackendOptions } from './backend.js'
export { QueueObject } from './object.js'
export type { ObjectNamespace, ObjectState, ObjectStorage, SyncKV } from './platform.js'
export type { QueueObjectSettings } from './settings.js'

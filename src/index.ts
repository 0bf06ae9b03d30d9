export type {
  AddOptions,
  Backend,
  BatchChunk,
  BatchView,
  Change,
  Claimed,
  Cursor,
  Exchange,
  Exchanged,
  FollowUp,
  GateView,
  Locks,
  NewTask,
  Page,
  Reads,
  Repaired,
  Retention,
  Settlement,
} from './backend.js'
export { Batch, type BatchResult, type CollectOptions, type ResultsOptions, type WatchOptions } from './batch.js'
export { type Channel, type Hint, localChannel, type StorageNotice } from './channel.js'
export type { Inputs } from './client/chunks.js'
export type { EnqueueManyOptions } from './client/enqueue-many.js'
export type { QueueEvent } from './client/events.js'
export type { CancelOptions, EnqueueOptions, ListOptions, PruneOptions } from './client/options.js'
export type { BatchInfo, BatchProgress, StageProgress } from './client/progress.js'
export type { EnqueueArguments, TaskInput } from './client/typed.js'
export type { WaitOptions } from './client/waiting.js'
export { type Clock, systemClock } from './clock.js'
export {
  BatchNotFoundError,
  ClosedError,
  InvalidInputError,
  InvalidOptionError,
  PermanentError,
  SitqError,
  StorageError,
  TaskCancelledError,
  TaskFailedError,
  TaskNotFoundError,
  TimeoutError,
} from './errors.js'
export type { EndedRun, Executor, HandlerSettings, HandlerTable, Report, Run, WorkerView } from './executor.js'
export { Task } from './handle.js'
export {
  defineHandlers,
  type FollowUpOptions,
  type FollowUpRequest,
  type HandlerContext,
  type HandlerFunction,
  type HandlerMap,
  type HandlerObject,
  type InputCheck,
  type InputOf,
  type NameOf,
  type OutputOf,
  type StandardSchema,
} from './handlers.js'
export { type InlineOptions, inline } from './inline.js'
export { MemoryBackend } from './memory/index.js'
export {
  type Measurement,
  type Percentiles,
  PerformanceMonitor,
  type PerformanceReport,
} from './monitor.js'
export { Pipeline, PipelineRun, type PipelineStart, pipeline, type RunProgress } from './pipeline.js'
export type { PartMark, Stage } from './plan/records.js'
export { TaskQueue, type TaskQueueOptions } from './queue.js'
export {
  type CancelledResult,
  type CompletedResult,
  type Counts,
  type ErrorRecord,
  type FailedResult,
  type HostId,
  type Interval,
  type Lane,
  type Position,
  type Result,
  type RetryPolicy,
  type TaskId,
  type TaskSettings,
  type TaskState,
  type TaskView,
  taskStates,
} from './task.js'
export {
  type Drained,
  type DrainOptions,
  type RetentionOptions,
  TaskWorker,
  type TaskWorkerOptions,
  type WorkerRole,
} from './worker.js'

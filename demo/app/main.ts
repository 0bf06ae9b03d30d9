import { worker } from '../runs/queue.js'
import { showProblem } from './dom.js'
import { startExperiment } from './experiment.js'
import { startLargeTab } from './large.js'
import { startMetricsTab } from './metrics.js'
import { startReport } from './report.js'
import { startStatus } from './status.js'
import { startTabs } from './tabs.js'
import { startTheme } from './theme.js'
import { startUsersTab } from './users.js'

startTheme()
startTabs()
startStatus()
startUsersTab()
startMetricsTab()
startLargeTab()
startExperiment()
startReport()

worker.start().catch((error: unknown) => showProblem('notice', error))

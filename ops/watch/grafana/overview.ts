import { ROLES_EXPECTED, STAGE_LAG } from '../prometheus/recording.ts'
import { type Dashboard, OF_MARKET } from './panel.ts'

const NOBODY_WORKS = `${ROLES_EXPECTED} unless on (role) (max by (role) (seq_role_up) == 1)`

/** Is it well? If not, which epoch is stuck where? */
export const overview: Dashboard = {
  uid: 'sequencer-overview',
  title: 'Sequencer: overview',
  help: 'Green above: all is well. Red: the two tables below say what fires, and which epoch waits for what.',
  rows: [
    {
      title: 'Is it well?',
      panels: [
        {
          title: 'Alerts',
          help: 'Firing now. Each has a section in docs/runbook.md.',
          kind: 'stat',
          queries: [{ expr: 'count(ALERTS{service="sequencer",alertstate="firing"}) or vector(0)' }],
          limits: [1, 1],
          width: 4,
        },
        {
          title: 'Roles without a worker',
          help: 'Roles of which no process works.',
          kind: 'stat',
          queries: [{ expr: `count(${NOBODY_WORKS}) or vector(0)` }],
          limits: [1, 1],
          width: 4,
        },
        {
          title: 'Longest wait of an epoch',
          help: 'In any phase but the open window. Past 5 minutes an alert fires.',
          kind: 'stat',
          queries: [{ expr: `max(seq_epoch_oldest_seconds{${OF_MARKET},phase!="OPEN"})` }],
          unit: 's',
          limits: [120, 300],
          width: 4,
        },
        {
          title: 'Anchored, last day',
          help: 'Share of the epochs that ended with batches. The objective is 99.99 %.',
          kind: 'stat',
          queries: [
            {
              expr: `sum(max by (market) (increase(seq_epochs_anchored_total{${OF_MARKET}}[1d]))) / (sum(max by (market) (increase(seq_epochs_anchored_total{${OF_MARKET}}[1d]))) + sum(max by (market, outcome) (increase(seq_epoch_missed_total{${OF_MARKET},outcome=~"LATE|FAILED"}[1d]))))`,
            },
          ],
          unit: 'percentunit',
          limits: [1, 0.9999],
          width: 4,
        },
        {
          title: 'Last block',
          help: 'When the clock last turned a block into ticks.',
          kind: 'stat',
          queries: [{ expr: 'time() - max(seq_chain_advanced_timestamp_seconds)' }],
          unit: 's',
          limits: [30, 120],
          width: 4,
        },
        {
          title: 'Transactions paid for',
          help: 'Balance of the signer by what the newest transaction may cost.',
          kind: 'stat',
          queries: [{ expr: 'max(seq_signer_balance_wei) / max(seq_tx_cost_wei)' }],
          unit: 'short',
          limits: [200, 1],
          width: 4,
        },
      ],
    },
    {
      title: 'What is wrong?',
      panels: [
        {
          title: 'Alerts that fire',
          help: 'An alert that another explains is not here.',
          kind: 'table',
          queries: [{ expr: 'ALERTS{service="sequencer",alertstate="firing"}', legend: 'firing' }],
          width: 12,
        },
        {
          title: 'Which epoch waits for what',
          help: 'The epoch that has been longest in each phase, for how long, and how many are there. `sequencer epoch <id>` says more.',
          kind: 'table',
          queries: [
            { expr: `max by (market, phase) (seq_epoch_oldest{${OF_MARKET}})`, legend: 'epoch' },
            { expr: `max by (market, phase) (seq_epoch_oldest_seconds{${OF_MARKET}})`, legend: 'seconds' },
            { expr: `max by (market, phase) (seq_epochs_unfinished{${OF_MARKET}})`, legend: 'epochs' },
          ],
          width: 12,
        },
      ],
    },
    {
      title: 'The day',
      panels: [
        {
          title: 'Day not closed',
          help: 'How much of the day behind it is over for the oldest day that has to be closed and is not. Past a quarter an alert fires; from 1 on it cannot be closed.',
          kind: 'stat',
          queries: [{ expr: `max(seq_day_unclosed_days{${OF_MARKET}})` }],
          unit: 'percentunit',
          limits: [0.1, 0.25],
          width: 6,
        },
        {
          title: 'Slots that differ',
          help: 'The contract has something else than the ledger, in the newest days. `sequencer rewards --reconcile` names them.',
          kind: 'stat',
          queries: [{ expr: `sum(max by (market, reason) (seq_day_drift_slots{${OF_MARKET}}))` }],
          limits: [1, 100],
          width: 6,
        },
        {
          title: 'Slots and the quota',
          help: 'Slots with an accepted submission in the day, and slots that have its quota.',
          kind: 'series',
          queries: [
            { expr: `sum(max by (market) (seq_day_slots{${OF_MARKET}}))`, legend: 'slots' },
            { expr: `sum(max by (market) (seq_day_slots_eligible{${OF_MARKET}}))`, legend: 'with the quota' },
          ],
          unit: 'short',
          width: 12,
        },
      ],
    },
    {
      title: 'Flow',
      panels: [
        {
          title: 'Verdicts',
          help: 'By reason, per second. docs/verdicts.md says what each means.',
          kind: 'series',
          queries: [
            {
              expr: `sum by (reason) (max by (market, reason) (rate(seq_submission_verdict_total{${OF_MARKET}}[$__rate_interval]))) > 0`,
              legend: '{{reason}}',
            },
          ],
          unit: 'reqps',
          stacked: true,
          width: 12,
        },
        {
          title: 'Release to end on the chain',
          help: 'Half of the epochs take less than the lower line, 99 of 100 less than the upper one.',
          kind: 'series',
          queries: [0.5, 0.99].map((quantile) => ({
            expr: `histogram_quantile(${quantile}, sum by (le) (rate(seq_epoch_release_to_anchor_seconds_bucket{${OF_MARKET}}[$__rate_interval])))`,
            legend: `p${quantile * 100}`,
          })),
          unit: 's',
          width: 12,
        },
        {
          title: 'Epochs under way',
          help: 'By what they wait for. A colour that grows is where they are stuck.',
          kind: 'series',
          queries: [
            {
              expr: `sum by (phase) (max by (market, phase) (seq_epochs_unfinished{${OF_MARKET}}))`,
              legend: '{{phase}}',
            },
          ],
          unit: 'none',
          stacked: true,
          width: 12,
        },
        {
          title: 'Votes for the winner',
          help: 'Share of all votes. It falls when snapshotters see different data.',
          kind: 'series',
          queries: [
            {
              expr: `sum by (market) (max by (market, agreed) (rate(seq_consensus_votes_total{${OF_MARKET},agreed="true"}[$__rate_interval]))) / sum by (market) (max by (market, agreed) (rate(seq_consensus_votes_total{${OF_MARKET}}[$__rate_interval])))`,
              legend: '{{market}}',
            },
          ],
          unit: 'percentunit',
          width: 12,
        },
        {
          title: 'Lag of the stages',
          help: 'Records between what a stage has committed and the end of its input.',
          kind: 'series',
          queries: [{ expr: STAGE_LAG, legend: '{{stage}}' }],
          unit: 'short',
          width: 12,
        },
        {
          title: 'Roles',
          help: 'How many processes do the work of each role.',
          kind: 'timeline',
          queries: [{ expr: 'sum by (role) (seq_role_up)', legend: '{{role}}' }],
          width: 12,
        },
      ],
    },
  ],
}

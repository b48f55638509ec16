import { expect, test } from 'vitest'
import { CONNECTORS, ROLE_HELP, ROLES, STAGES } from '../../../ops/base/roles.ts'
import { createWorld } from '../../topology/world.ts'

test('default: the stages that can be named are those of the topology', () => {
  expect([...STAGES]).toEqual(createWorld().topology.stages.map(({ name }) => name))
})

test('behavior: every role is there once, with words about it', () => {
  expect([...ROLES].sort()).toEqual([...new Set([...CONNECTORS, ...STAGES])].sort())
  expect(Object.keys(ROLE_HELP).sort()).toEqual([...ROLES].sort())
})

/** What house style asks of the whole tree: arrows between folders, purity, sizes, nothing dead. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'rolldown/parseAst'
import { describe, expect, test } from 'vitest'
import { createCodec } from '../schemas/codec.ts'
import { generateTypes } from '../schemas/generate.ts'
import { memoryRegistry } from '../schemas/registry.ts'
import { SUBJECTS } from '../schemas/subjects.ts'
import { sequencerStores } from '../topology/stores.ts'
import { sequencerTopics } from '../topology/topics.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['topology', 'streams', 'schemas', 'connectors', 'ops', 'bench', 'test'] as const
const LINES_MAX = 300
const TEST_LINES_MAX = 600
const FUNCTION_LINES_MAX = 70

/** Longer than the rule; each may shrink, none may grow, and no other joins them without a reason here. */
const LONG_FILES: Record<string, number> = {
  'schemas/types.ts': Number.POSITIVE_INFINITY, // generated
}
const LONG_FUNCTIONS: Record<string, number> = {}

/** Where a folder's arrows may point: folders (or single files) of ours, and packages. */
const ARROWS: Record<string, { ours: readonly string[]; packages: readonly string[] }> = {
  streams: { ours: ['streams/'], packages: ['node:crypto', 'node:zlib'] },
  schemas: { ours: ['schemas/'], packages: ['avsc', 'node:fs', 'node:path', 'node:url'] },
  topology: {
    ours: ['topology/', 'streams/', 'schemas/'],
    packages: ['hash-wasm', '@bitauth/libauth', 'node:crypto', 'node:module'],
  },
  connectors: {
    ours: [
      'connectors/',
      'schemas/',
      'streams/ports.ts',
      'streams/serde.ts',
      'streams/partitioner.ts',
      'streams/kafka-topic.ts',
      'streams/read-record.ts',
      'streams/read-range.ts',
      'streams/seals.ts',
      'streams/seal-guard.ts',
      'streams/back-off.ts',
      'streams/within.ts',
      'streams/one-of-many.ts',
    ],
    packages: ['*'],
  },
}

/** The rooms of ops/ from the ground up, each with those that it imports: only rooms that stand before it. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  reading: ['base'],
  settings: ['base'],
  ground: ['base', 'reading', 'settings'],
  watch: ['base', 'reading', 'settings', 'ground'],
  check: ['base', 'reading', 'settings', 'ground'],
  api: ['base', 'reading', 'settings', 'ground', 'watch'],
  run: ['base', 'reading', 'settings', 'ground', 'watch', 'api'],
  world: ['base', 'reading', 'settings', 'ground', 'watch', 'run'],
  deploy: ['base', 'reading', 'settings', 'ground', 'run'],
  look: ['base', 'reading', 'settings', 'ground', 'api', 'run', 'world', 'deploy'],
  bin: ['base', 'settings', 'ground', 'check', 'run', 'world', 'deploy', 'look'],
}

/** The same of the rooms within a folder; files that lie in front, beside the rooms, are not held to it. */
const INNER_ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  topology: {
    shared: [],
    'tick-fanout': [],
    validate: ['shared'],
    admit: ['shared'],
    consensus: ['shared'],
    settle: ['shared'],
    batch: ['shared'],
    anchor: [],
    ledger: ['shared'],
  },
  'connectors/evm': {
    nodes: [],
    contract: ['nodes'],
    clock: ['contract', 'nodes'],
    'anchor-effects': ['contract', 'nodes'],
  },
  'connectors/log': {
    core: [],
    memory: ['core'],
    simulated: ['core', 'memory'],
    embedded: ['core'],
    kafka: ['core'],
  },
}

/** All that the second implementation of the rules shares with the first: names, keys and schemas of records, rules, words. */
const SHARED_WITH_STAGES = ['topology/topics.ts', 'topology/rules.ts', 'topology/verdict.ts']
/** And the files on the way to a log: its stores with the form of their rows, and the keys of markers in the settings. */
const REACHED_BY_OPENING = [
  'topology/stores.ts',
  'topology/anchor-stores.ts',
  'topology/ledger-stores.ts',
  'topology/shared/seals.ts',
  'topology/shared/vote.ts',
]
/** Of ops/check: they run the topology to compare with it, or make the proof that is checked elsewhere. */
const NOT_SECOND = ['ops/check/replay/recompute.ts', 'ops/check/replay/command.ts', 'ops/check/proof/command.ts']

/** A turn of the event loop between two slices of work; it decides nothing. */
const PURE_ENOUGH = ['streams/runtime-options.ts: setImmediate']

const IMPURE = [
  /\bDate\.now\b/,
  /\bnew Date\b/,
  /\bMath\.random\b/,
  /\brandomUUID\b|\brandomBytes\b/,
  /\bperformance\.now\b/,
  /\bprocess\./,
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
  /(await|return|=) fetch\(/,
  /\bconsole\./,
]

/** The one place; tools that npm starts and that show nothing foreign; the console, which has no terminal. */
const WRITE_THEMSELVES = [
  'ops/base/output.ts',
  'schemas/history.ts',
  'ops/world/chain/contracts/build.ts',
  'ops/api/console/app/',
]

/** Reached from outside the imports: started by hand, by npm or as a worker; the last two are there for tests. */
const ENTRIES = [
  'ops/bin/cli.ts',
  'ops/run/signer-worker.ts',
  'ops/api/console/app/main.tsx',
  'ops/world/brokers/main.ts',
  'ops/world/cluster/main.ts',
  'ops/watch/metrics/generate.ts',
  'schemas/generate.ts',
  'schemas/history.ts',
  'ops/world/chain/contracts/build.ts',
  'connectors/log/simulated/simulated.ts',
  'streams/test-driver.ts',
]

/** Words with one meaning (docs/glossary.md), each with the only places where it may stand. */
const WORDS: readonly (readonly [word: RegExp, places: RegExp])[] = [
  [/door|\bwhoever\b/i, /^(schemas\/types|test\/tidy\.test)\.ts$/],
  [/\bpark(ing)?\b/i, /^(test\/)?(connectors\/schema-registry\/|tidy\.test|ops\/kafka\/foreign)/],
]
/** In the product: a first word of a doc comment that leaves its noun to be guessed; and a plural in brackets. */
const UNCLEAR = /\/\*\*\s+(?:\* )?(?:What|Of|Who|That|Those|These|It|Its|They|Their|There|Not)\b|\}[^`'\n]*\w\(s\)/

interface Source {
  readonly path: string
  readonly text: string
  /** Without comments. */
  readonly code: string
  readonly imports: readonly string[]
}

const sources: Source[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => readSource(join(folder, file))),
)
const product = sources.filter(({ path }) => !path.startsWith('test/'))
const within = (folder: string) => product.filter(({ path }) => path.startsWith(`${folder}/`))

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
  const imports = [...code.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g)].map(([, target]) => target!)
  return { path, text, code, imports: imports.map((target) => resolveImport(path, target)) }
}

/** A path from the root for ours, the package (or node:module) for others. */
function resolveImport(path: string, target: string): string {
  if (target.startsWith('.')) return relative(ROOT, join(ROOT, dirname(path), target))
  const parts = target.split('/')
  return target.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}
const isOurs = (target: string): boolean => FOLDERS.some((folder) => target.startsWith(`${folder}/`))

describe('arrows', () => {
  test.each(Object.entries(ARROWS))('behavior: %s imports only what it may', (folder, { ours, packages }) => {
    const wrong = within(folder).flatMap(({ path, imports }) =>
      imports
        .filter((target) =>
          isOurs(target)
            ? !ours.some((allowed) => target.startsWith(allowed))
            : !packages.includes('*') && !packages.includes(target),
        )
        .map((target) => `${path} → ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('behavior: nothing but tests imports tests', () => {
    expect(product.filter(({ imports }) => imports.some((target) => target.startsWith('test/')))).toEqual([])
  })
})

describe('rooms', () => {
  const tables = Object.entries({ ops: ROOMS, ...INNER_ROOMS })
  const roomIn = (folder: string, path: string): string | undefined =>
    path.startsWith(`${folder}/`) ? path.slice(folder.length + 1).match(/^([^/]+)\//)?.[1] : undefined
  const arrowsIn = (folder: string): { from: string; to: string; text: string }[] =>
    within(folder).flatMap(({ path, imports }) =>
      imports.flatMap((target) => {
        const [from, to] = [roomIn(folder, path), roomIn(folder, target)]
        return from === undefined || to === undefined || from === to ? [] : [{ from, to, text: `${path} → ${target}` }]
      }),
    )

  test.each(tables)('behavior: a room of %s imports only what the table says', (folder, rooms) => {
    const wrong = arrowsIn(folder).filter(({ from, to }) => !rooms[from]?.includes(to))
    expect(wrong.map(({ text }) => text)).toEqual([])
  })
  test.each(tables)(
    'behavior: the table of %s has every room, in an order, and no arrow that nothing needs',
    (folder, rooms) => {
      const names = Object.keys(rooms)
      const there = new Set(within(folder).flatMap(({ path }) => roomIn(folder, path) ?? []))
      expect([...there].sort()).toEqual(names.toSorted())
      const backwards = names.flatMap((room, at) => rooms[room]!.filter((other) => names.indexOf(other) >= at))
      expect(backwards).toEqual([])
      const needed = new Set(arrowsIn(folder).map(({ from, to }) => `${from} → ${to}`))
      const said = names.flatMap((room) => rooms[room]!.map((other) => `${room} → ${other}`))
      expect(said.filter((arrow) => !needed.has(arrow))).toEqual([])
    },
  )

  test('behavior: no files import each other in a circle, for their types neither', () => {
    expect(circlesIn(sources.map(({ path, imports }) => [path, imports]))).toEqual([])
  })

  const second = within('ops/check').filter(({ path }) => !NOT_SECOND.includes(path))
  test('behavior: the second implementation of the rules imports nothing of the first', () => {
    const wrong = second.flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.startsWith('topology/') && !SHARED_WITH_STAGES.includes(target))
        .map((target) => `${path} → ${target}`),
    )
    expect(wrong).toEqual([])
  })
  test('behavior: nor does it reach it through others', () => {
    const allowed = new Set([...reachedFrom(SHARED_WITH_STAGES), ...REACHED_BY_OPENING])
    const wrong = second.flatMap(({ path }) =>
      [...reachedFrom([path])]
        .filter((target) => target.startsWith('topology/') && !allowed.has(target))
        .map((target) => `${path} … ${target}`),
    )
    expect(wrong).toEqual([])
    expect(NOT_SECOND.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })
})

test.each(['topology', 'streams'])('behavior: %s reads no clock, rolls no dice, does no I/O', (folder) => {
  const wrong = within(folder).flatMap(({ path, code }) =>
    IMPURE.flatMap((pattern) => code.match(pattern)?.[0] ?? []).map((found) => `${path}: ${found}`),
  )
  expect(wrong.filter((one) => !PURE_ENOUGH.includes(one))).toEqual([])
})

test('behavior: no list becomes the arguments of a call, which ends with some 120,000 of them', () => {
  const spread = /\b(?:Math\.(?:max|min)|concat|String\.from\w+)\(\.\.\.|\bnew \w+\(\.\.\./
  expect(
    product.filter(({ path, code }) => !path.startsWith('bench/') && spread.test(code)).map(({ path }) => path),
  ).toEqual([])
})

test('behavior: no wait is ended by AbortSignal.timeout, which is collected while fetch or AbortSignal.any waits for it', () => {
  const inBrowser = 'ops/api/console/app/'
  const lost = product.filter(({ path, code }) => !path.startsWith(inBrowser) && /\bAbortSignal\.timeout\b/.test(code))
  expect(lost.map(({ path }) => path)).toEqual([])
})

describe('sizes', () => {
  const tooLong = (all: readonly Source[], max: number) =>
    all
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ path, lines }) => lines > (LONG_FILES[path] ?? max))

  test(`behavior: no file of the product has more than ${LINES_MAX} lines`, () => {
    expect(tooLong(product, LINES_MAX)).toEqual([])
  })
  test(`behavior: no file of tests has more than ${TEST_LINES_MAX} lines`, () => {
    expect(
      tooLong(
        sources.filter(({ path }) => path.startsWith('test/')),
        TEST_LINES_MAX,
      ),
    ).toEqual([])
  })
  test(`behavior: no function of the product has more than ${FUNCTION_LINES_MAX} lines`, () => {
    const long = product.flatMap(({ path, text }) =>
      functionsOf(text, path)
        .map(({ name, lines }) => ({ name: `${path} ${name}`, lines }))
        .filter(({ name, lines }) => lines > (LONG_FUNCTIONS[name] ?? FUNCTION_LINES_MAX)),
    )
    expect(long).toEqual([])
  })
  test('behavior: no exception is left that nothing needs any more', () => {
    const named = Object.keys(LONG_FUNCTIONS).filter((name) => {
      const [path = '', wanted] = name.split(' ')
      const { text = '' } = product.find((source) => source.path === path) ?? {}
      return !functionsOf(text, path).some((found) => found.name === wanted && found.lines > FUNCTION_LINES_MAX)
    })
    expect(named).toEqual([])
  })
})

test('behavior: only ops/base/output.ts writes to a terminal, so that nothing foreign reaches one as it is', () => {
  const wrong = product.flatMap(({ path, code }) =>
    [...code.matchAll(/\bprocess\.(?:stdout|stderr)\b(?!\.isTTY)|\bconsole\.\w+/g)].map(
      ([found]) => `${path}: ${found}`,
    ),
  )
  expect(
    wrong.filter((one) => !one.startsWith('bench/') && !WRITE_THEMSELVES.some((file) => one.startsWith(file))),
  ).toEqual([])
})

test('behavior: what a node answers is read by the checked readers alone', () => {
  const readers = /^connectors\/evm\/(?:nodes\/(?:node|log)-answers|anchor-effects\/anchor-refusal)\.ts$/
  const asking = product.filter(({ code }) => /\bask\(\s*'(?:eth|net|web3)_/.test(code)).map(({ path }) => path)
  expect(asking.filter((path) => !readers.test(path))).toEqual([])
})

test('behavior: what lies in a topic is decoded where each record is given a fate; rows of the view were read there', () => {
  const readers = [
    'streams/read-record.ts',
    'streams/task.ts',
    'streams/read-ahead.ts',
    'streams/test-driver.ts',
    'bench/',
  ]
  const decoding = product.filter(({ code }) => /\b(?:key|value)\.decode\((?!\s*bytesOf\()/.test(code))
  expect(decoding.map(({ path }) => path).filter((path) => !readers.some((reader) => path.startsWith(reader)))).toEqual(
    [],
  )
})

test('behavior: pauses between tries grow in streams/back-off.ts alone', () => {
  const doubled =
    /2 \*\* (?:Math\.min|\(?(?:attempt|failure|tries|refusal))|(?:[mM]s|pause|wait)\w* \* 2\b|\b2 \* (?:pause|wait)/
  expect(product.filter(({ code }) => doubled.test(code)).map(({ path }) => path)).toEqual(['streams/back-off.ts'])
})

test('behavior: a partition is read from one offset to another in streams/read-range.ts alone', () => {
  const others = [
    'connectors/evm/anchor-effects/anchor-batches.ts', // takes one record
    'connectors/evm/anchor-effects/anchor-intents.ts', // follows
    'connectors/evm/clock/clock-log.ts', // takes one answer
    'connectors/schema-registry/readable-log.ts', // is a log itself
    'ops/api/view/view.ts', // follows
    'ops/ground/watched-log.ts', // is a log itself
    'ops/reading/follow-topic.ts', // follows
    'ops/reading/progress.ts', // follows
    'ops/reading/scan.ts', // takes one record
    'streams/fetch-loop.ts', // follows
    'streams/table-reader.ts', // follows
  ]
  const fetching = product.filter(({ path, code }) => !path.startsWith('bench/') && /\blog\.fetch\(/.test(code))
  const paths = fetching.map(({ path }) => path)
  expect(paths.sort()).toEqual([...others, 'streams/read-range.ts'].sort())
})

describe('casts', () => {
  /** Each with a type that says less than is true, or hides what is used. */
  const TOLD_OTHERWISE = [
    'connectors/libp2p/parting.ts', // private of yamux
    'connectors/libp2p/yamux-windows.ts', // private of yamux
    'ops/watch/metrics/create.ts', // content types of prom-client
    'schemas/avro-types.ts', // not in the types of avsc
  ]
  test('behavior: nothing is cast to whatever is wanted but what a library types wrongly or hides', () => {
    const cast = product.filter(({ code }) => /\bas unknown as\b/.test(code)).map(({ path }) => path)
    expect(cast.filter((path) => !path.startsWith('bench/')).sort()).toEqual(TOLD_OTHERWISE)
  })
  test('behavior: the stages cast nothing, since a topic tells its data and its markers apart', () => {
    const cast = within('topology').flatMap(({ path, code }) =>
      [...code.replace(/'[^'\n]*'/g, "''").matchAll(/^(?!import).*\bas (?!const\b)[\w({[].*$/gm)].map(
        ([line]) => `${path}: ${line!.trim()}`,
      ),
    )
    expect(cast).toEqual([
      "topology/shared/recovery.ts: library = createRequire(import.meta.url)('') as NativeSecp256k1",
    ])
  })
})

test('behavior: a word has one meaning, and a doc comment begins with its subject', () => {
  const astray = sources.filter(({ path, text }) => WORDS.some(([word, at]) => word.test(text) && !at.test(path)))
  const unclear = product.filter(({ path, text }) => path !== 'schemas/types.ts' && UNCLEAR.test(text))
  expect([...astray, ...unclear].map(({ path }) => path)).toEqual([])
})

test('behavior: no default exports but where a tool asks for one', () => {
  const withDefault = sources.filter(({ code }) => /\bexport default\b/.test(code)).map(({ path }) => path)
  expect(withDefault.sort()).toEqual(['ops/run/signer-worker.ts', 'test/reporter.ts'])
})

test('behavior: every file is reached from an entry', () => {
  const isEntry = (path: string) => ENTRIES.includes(path) || path.startsWith('bench/')
  const reached = reachedFrom(product.map(({ path }) => path).filter(isEntry))
  expect(product.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([])
})

test('behavior: what a file exports is used by another file', () => {
  const words = new Map(sources.map(({ path, text }) => [path, new Set(text.match(/\w+/g))]))
  const unused = sources.flatMap(({ path, code }) =>
    [...code.matchAll(/^export (?:async )?(?:function\*?|const|class) (\w+)/gm)]
      .filter(([, name]) => ![...words].some(([other, used]) => other !== path && used.has(name!)))
      .map(([, name]) => `${path} ${name}`),
  )
  expect(unused).toEqual([])
})

test('behavior: nothing refers to the machine it was written on', () => {
  const machine = ['', 'work', 'shared'].join('/')
  expect(sources.filter(({ text }) => text.includes(machine)).map(({ path }) => path)).toEqual([])
})

test('behavior: git holds nothing that .gitignore names, so no link to somebody else’s node_modules', () => {
  const tracked = execFileSync('git', ['ls-files', '-ci', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' })
  expect(tracked).toBe('')
})

describe('pages', () => {
  const pages = ['.', 'docs', 'docs/decisions'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )
  const texts = new Map(pages.map((page) => [page, readFileSync(join(ROOT, page), 'utf8')]))
  const fileNames = new Set(sources.map(({ path }) => basename(path)))
  /** `validate.ts` is the name of some file; tests are named from test/ too. */
  const isThere = (name: string): boolean =>
    name.includes('/') ? existsSync(join(ROOT, name)) || existsSync(join(ROOT, 'test', name)) : fileNames.has(name)

  test('behavior: a file or folder that a page names is there', () => {
    const wrong = [...texts].flatMap(([page, text]) =>
      pathsIn(text)
        .filter((name) => !isThere(name))
        .map((name) => `${page}: ${name}`),
    )
    expect(wrong).toEqual([])
  })

  test('behavior: a link leads to a page, and to a heading of it', () => {
    const wrong = [...texts].flatMap(([page, text]) =>
      [...text.matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
        .filter(([, path = '', heading]) => {
          const target = path === '' ? page : join(dirname(page), path)
          if (heading !== undefined) return !headingsIn(texts.get(target) ?? '').includes(heading)
          return !existsSync(join(ROOT, target))
        })
        .map(([link]) => `${page}: ${link}`),
    )
    expect(wrong).toEqual([])
  })
})

/** The files themselves, and all that they import, and those import, and so on. */
function reachedFrom(files: readonly string[]): ReadonlySet<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const queue = [...files]
  const reached = new Set(queue)
  for (const path of queue)
    for (const target of byPath.get(path)?.imports ?? [])
      if (byPath.has(target) && !reached.has(target)) reached.add(queue[queue.push(target) - 1]!)
  return reached
}

/** Files in circles, and those between two circles: what is left when ends and beginnings are taken away again and again. */
function circlesIn(arrows: readonly (readonly [file: string, imports: readonly string[]])[]): string[] {
  const backwards = arrows.map(
    ([file]) => [file, arrows.flatMap(([other, of]) => (of.includes(file) ? [other] : []))] as const,
  )
  const left = new Set(arrows.map(([file]) => file))
  for (let before = -1; before !== left.size; ) {
    before = left.size
    for (const [file, others] of [...arrows, ...backwards])
      if (left.has(file) && !others.some((other) => left.has(other))) left.delete(file)
  }
  return [...left].sort()
}

/** What stands in backticks and is a path of ours, or the name of a source file; patterns and placeholders are none. */
function pathsIn(text: string): string[] {
  const folders = [...FOLDERS, 'docs'].join('|')
  const path = new RegExp(`^(?:(?:${folders})/[\\w./-]*|[\\w-]+(?:\\.\\w+)*\\.tsx?)$`)
  return [...text.matchAll(/`([^`\n]+)`/g)]
    .map(([, name]) => name!.replace(/:.*$/, ''))
    .filter((name) => path.test(name))
}

/** As GitHub makes anchors of headings. */
const headingsIn = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

describe('schemas', async () => {
  const codec = await createCodec(memoryRegistry())
  const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
  const { deadLetters, ...topics } = sequencerTopics(codec, { prefix: '', partitions })
  const { anchor, ledger, ...stores } = sequencerStores(codec)

  test('behavior: every topic has one for its keys and one for its values; only the dead letters are bytes', () => {
    const needed = Object.values(topics).flatMap(({ name }) => [`${name}-key`, `${name}-value`])
    expect(needed.filter((subject) => !(subject in SUBJECTS))).toEqual([])
    expect(deadLetters.name in SUBJECTS).toBe(false)
  })
  test('behavior: every store has one for its values, and no subject is left over', () => {
    const all = [stores, ledger, anchor].flatMap((of): readonly { readonly name: string }[] => Object.values(of))
    const ofStores = all.map(({ name }) => `${name}-changelog-value`)
    const ofTopics = Object.values(topics).flatMap(({ name }) => [`${name}-key`, `${name}-value`])
    expect(Object.keys(SUBJECTS).sort()).toEqual([...ofTopics, ...ofStores].sort())
  })
  test('behavior: the generated types are those of the schemas (else: npm run schemas:generate)', () => {
    expect(readFileSync(join(ROOT, 'schemas/types.ts'), 'utf8')).toBe(generateTypes())
  })
})

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly id?: { readonly name: string } | null
  readonly key?: { readonly name?: string }
  readonly [field: string]: unknown
}

/** Every function with its name (or that of what it is assigned to) and the lines it spans. */
function functionsOf(text: string, path = ''): { name: string; lines: number }[] {
  const found: { name: string; lines: number }[] = []
  const visit = (node: Node, name: string): void => {
    if (/Function/.test(node.type))
      found.push({ name: node.id?.name ?? name, lines: text.slice(node.start, node.end).split('\n').length })
    const inner = node.id?.name ?? node.key?.name ?? name
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child, inner)
  }
  visit(parseAst(text, { lang: path.endsWith('x') ? 'tsx' : 'ts' }) as unknown as Node, '(module)')
  return found
}
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && 'start' in value

describe('the checks themselves', () => {
  test('behavior: functions are found with their names and lines', () => {
    const text =
      'export const a = (x: number) => {\n  const b = () => 1\n  return b\n}\nclass C { m(): void {\n} }\nfunction d() {}\n'
    expect(functionsOf(text)).toEqual([
      { name: 'a', lines: 4 },
      { name: 'b', lines: 1 },
      { name: 'm', lines: 2 },
      { name: 'd', lines: 1 },
    ])
  })
  test('behavior: circles are found, with what lies between two of them, and nothing else', () => {
    const arrows: [string, string[]][] = [
      ['start', ['a']],
      ['a', ['b']],
      ['b', ['a', 'between', 'end']],
      ['between', ['c']],
      ['c', ['d']],
      ['d', ['c', 'end']],
      ['end', []],
    ]
    expect(circlesIn(arrows)).toEqual(['a', 'b', 'between', 'c', 'd'])
    expect(circlesIn(arrows.filter(([file]) => file !== 'b' && file !== 'd'))).toEqual([])
  })
  test('behavior: all of the tree is looked at', () => {
    expect(product.length).toBeGreaterThan(100)
    expect(within('topology').find(({ path }) => path === 'topology/index.ts')!.imports).toContain(
      'topology/validate/validate.ts',
    )
  })
})

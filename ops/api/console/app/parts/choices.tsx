/** Buttons to choose between a few lists. */

interface ChoicesProps<T extends string> {
  /** Subject of the choice, for readers of the screen. */
  readonly legend: string
  readonly group: string
  readonly choices: readonly { readonly value: T; readonly name: string }[]
  readonly chosen: T
  readonly choose: (value: T) => void
}

export const Choices = <T extends string>({ legend, group, choices, chosen, choose }: ChoicesProps<T>) => (
  <fieldset class="choices">
    <legend class="visually-hidden">{legend}</legend>
    {choices.map(({ value, name }) => (
      <label key={value} class={value === chosen ? 'is-chosen' : ''}>
        <input type="radio" name={group} checked={value === chosen} onChange={() => choose(value)} />
        {name}
      </label>
    ))}
  </fieldset>
)

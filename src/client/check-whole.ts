/** @throws {TypeError | RangeError} The value is not a whole number in the range. */
export function checkWhole(value: unknown, name: string, min: number, max = 2 ** 31 - 1): void {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
    throw new (typeof value === 'number' ? RangeError : TypeError)(
      `${name} must be a whole number from ${min} to ${max}`,
    );
}

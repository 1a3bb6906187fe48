/** What was written into a field of the form that is sent, without blanks around it. */
export function fieldIn(event: SubmitEvent, name: string): string {
  const value = new FormData(event.target as HTMLFormElement).get(name);
  return typeof value === 'string' ? value.trim() : '';
}

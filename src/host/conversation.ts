// What two sides say to each other, for a caller that may or may not wait.

/**
 * What is said to init, step by step: it yields whenever nothing can go on before init has answered, and gives the longest
 * time that this may take, in milliseconds. Whoever goes on without waiting waits in the call that reads the answer.
 */
export type Conversation<T = void> = Generator<number, T>;

/** Has a conversation without a pause: all waiting is done in system calls. */
export function finish<T>(conversation: Conversation<T>): T {
  let next = conversation.next();
  while (!next.done) next = conversation.next();
  return next.value;
}

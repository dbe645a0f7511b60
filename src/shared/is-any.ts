/**
 * Whether a type is `any`. The tuples are needed: the type of a missing module is an error type, which a direct conditional type
 * does not detect.
 */
export type IsAny<T> = [0] extends [1 & T] ? true : false;

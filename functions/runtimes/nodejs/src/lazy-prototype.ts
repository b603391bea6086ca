/** A class whose instances stand for native objects that are made when they are needed. */
export interface LazyClass<Real extends object> {
  readonly prototype: object;
  readonly native: { readonly prototype: object };
  /** What `constructor` of an instance is to be. */
  readonly constructor: unknown;
  /** The native object of an instance. It gets whatever a caller has as `this`. */
  readonly toReal: (instance: unknown) => Real;
}

/** Gives a lazy class every member of the native one that it lacks, and the native class as its base. */
export function completePrototype<Real extends object>(lazy: LazyClass<Real>): void {
  const { prototype, native } = lazy;
  for (const key of Reflect.ownKeys(native.prototype)) {
    const theirs = Reflect.getOwnPropertyDescriptor(native.prototype, key);
    const ours = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (theirs) Object.defineProperty(prototype, key, merged(lazy, key, theirs, ours));
  }
  Object.setPrototypeOf(prototype, native.prototype);
}

function merged<Real extends object>(
  lazy: LazyClass<Real>,
  key: string | symbol,
  theirs: PropertyDescriptor,
  ours: PropertyDescriptor | undefined,
): PropertyDescriptor {
  if (key === 'constructor') return { ...theirs, value: lazy.constructor };
  if (ours) return { ...ours, enumerable: theirs.enumerable ?? false };
  const { toReal } = lazy;
  const get: unknown = theirs.get;
  if (typeof get === 'function') {
    return {
      ...theirs,
      get(this: unknown): unknown {
        return Reflect.apply(get, toReal(this), []);
      },
    };
  }
  const method: unknown = theirs.value;
  if (typeof method !== 'function') return theirs;
  return {
    ...theirs,
    value(this: unknown, ...args: unknown[]): unknown {
      return Reflect.apply(method, toReal(this), args);
    },
  };
}

/** Makes the headers of `target` equal to `source`. */
export function copyHeaders(source: Headers, target: Headers): void {
  const names = Array.from(target.keys());
  for (const name of names) target.delete(name);
  for (const [name, value] of source) target.append(name, value);
}

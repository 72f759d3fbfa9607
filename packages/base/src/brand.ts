declare const brand: unique symbol;

/** A plain value at run time, a distinct type at compile time. One constructor per brand validates. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

export { untilFree } from './until-free.ts';
export { removeFile, removeFileSync, removeIfFree, removeTree, removeTreeIfFree, removeTreeSync } from './remove.ts';
export { replaceFile, replaceFileSync } from './replace-file.ts';

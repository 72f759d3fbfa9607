import { defineErrors } from './define.ts';

export const contextErrors = defineErrors({
  'context.directory-missing': {
    status: 422,
    message: 'There is no project directory {directory}.',
    remedy: 'Give the directory that holds the files which the spec copies.',
  },
  'context.source-missing': {
    status: 422,
    message: 'The project has no "{source}" to copy.',
    remedy: 'Check the path in (src …): it is relative to the project directory and names are case-sensitive.',
  },
  'context.source-outside': {
    status: 422,
    message: 'The source "{source}" leads out of the project: {reason}.',
    remedy: 'Copy only what lies inside the project directory, and not through links.',
  },
  'context.unsupported-file': {
    status: 422,
    message: '"{path}" is neither a file, a directory nor a symbolic link.',
    remedy: 'Remove it, or name it in (exclude …).',
  },
  'context.name-unsupported': {
    status: 422,
    message: 'The project has a file whose name is not UTF-8: {path}.',
    remedy: 'Rename it, or exclude its directory.',
  },
  'context.unreadable': {
    status: 422,
    message: '"{path}" cannot be read: {reason}.',
    remedy: 'Give the user that submits the build read access to it, or name it in (exclude …).',
  },
});

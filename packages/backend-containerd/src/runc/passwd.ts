import { LoamError } from '@loam/base';
import type { User } from '@loam/backend';

/** A user with all that a process needs to run as it. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly name: string | undefined;
  /** From /etc/passwd; undefined when the user is not in it. */
  readonly home: string | undefined;
}

/** The contents of a tree's user files; empty where there is none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

const maxId = 2 ** 32 - 2;

/**
 * Finds a user as Docker does: names and numbers in /etc/passwd and /etc/group; a number that is not listed is taken as it
 * is, with group 0 unless one is given; the groups that list the user as a member are added unless a group is given.
 * Throws `backend.unknown-user` for a name that is not listed; root is root even where nobody is.
 */
export function resolveUser(user: User, files: UserFiles): ResolvedUser {
  const users = parsePasswd(files.passwd);
  if (user.kind === 'id') {
    const entry = users.find(({ uid }) => uid === user.uid);
    return { uid: user.uid, gid: user.gid, additionalGids: [], name: entry?.name, home: entry?.home };
  }
  const [userText = '', groupText, ...more] = user.name.split(':');
  const unknown = LoamError.of('backend.unknown-user', { user: user.name });
  if (more.length > 0 || userText === '' || groupText === '') throw unknown;
  const wanted = userText;
  const uidNumber = parseId(wanted);
  const entry = users.find(({ name }) => name === wanted) ?? users.find(({ uid }) => uid === uidNumber);
  const uid = entry?.uid ?? uidNumber ?? (wanted === 'root' ? 0 : undefined);
  if (uid === undefined) throw unknown;
  const groups = parseGroup(files.group);
  if (groupText !== undefined) {
    const gid = groups.find(({ name }) => name === groupText)?.gid ?? parseId(groupText);
    if (gid === undefined) throw unknown;
    return { uid, gid, additionalGids: [], name: entry?.name, home: entry?.home };
  }
  const gid = entry?.gid ?? 0;
  const additionalGids = groups
    .filter((group) => group.gid !== gid && entry !== undefined && group.members.includes(entry.name))
    .map((group) => group.gid);
  return { uid, gid, additionalGids: [...new Set(additionalGids)], name: entry?.name, home: entry?.home };
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name, , uidText = '', gidText = '', , home = ''] = line.split(':');
    const uid = parseId(uidText);
    const gid = parseId(gidText);
    return name && uid !== undefined && gid !== undefined ? [{ name, uid, gid, home }] : [];
  });
}

function parseGroup(text: string): { name: string; gid: number; members: string[] }[] {
  return text.split('\n').flatMap((line) => {
    const [name, , gidText = '', members = ''] = line.split(':');
    const gid = parseId(gidText);
    return name && gid !== undefined ? [{ name, gid, members: members.split(',') }] : [];
  });
}

function parseId(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= maxId ? Number(text) : undefined;
}

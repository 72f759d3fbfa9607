import { describe, expect, it } from 'vitest';

import { resolveUser } from './passwd.ts';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nopam:x:1000:1002::/home/opam:/bin/sh\nbad line\nx:x:notanumber:0::/:\n',
  group: 'root:x:0:\nstaff:x:50:opam,other\nbuilders:x:1002:opam\ndocker:x:999:opam\n',
};
const named = (name: string): ReturnType<typeof resolveUser> => resolveUser({ kind: 'name', name }, files);

describe('resolveUser', () => {
  it('a name brings its group, home, and the groups that list it', () => {
    expect(named('opam')).toEqual({
      uid: 1000,
      gid: 1002,
      additionalGids: [50, 999],
      name: 'opam',
      home: '/home/opam',
    });
    expect(named('1000')).toEqual(named('opam'));
  });

  it('a group that is given is the only one', () => {
    expect(named('opam:staff')).toMatchObject({ uid: 1000, gid: 50, additionalGids: [] });
    expect(named('4242:4343')).toEqual({ uid: 4242, gid: 4343, additionalGids: [], name: undefined, home: undefined });
    expect(named('4242')).toMatchObject({ uid: 4242, gid: 0 });
  });

  it('ids are taken as they are, with the home of whoever has the uid', () => {
    expect(resolveUser({ kind: 'id', uid: 1000, gid: 7 }, files)).toEqual({
      uid: 1000,
      gid: 7,
      additionalGids: [],
      name: 'opam',
      home: '/home/opam',
    });
  });

  it('root is known where there are no files; nobody else is', () => {
    const none = { passwd: '', group: '' };
    expect(resolveUser({ kind: 'name', name: 'root' }, none)).toMatchObject({ uid: 0, gid: 0 });
    for (const name of ['opam', 'root:none', '', ':', 'a:b:c', '99999999999']) {
      expect(() => resolveUser({ kind: 'name', name }, none)).toThrow(
        expect.objectContaining({ code: 'backend.unknown-user' }),
      );
    }
  });
});

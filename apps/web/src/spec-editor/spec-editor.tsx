import { defaultKeymap, history, historyKeymap, indentWithTab, isolateHistory } from '@codemirror/commands';
import { indentService, indentUnit } from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic as EditorDiagnostic } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from '@codemirror/view';
import type { Diagnostic } from '@loam/contracts';
import { useEffect, useEffectEvent, useRef } from 'react';

import { indentOf, specColours } from './spec-colours.ts';
import { editorTheme } from './editor-theme.ts';
import { asEdited, changeBetween } from './text-change.ts';

interface SpecEditorProps {
  readonly value: string;
  readonly onChange: (text: string) => void;
  readonly onSubmit: () => void;
  readonly diagnostics: readonly Diagnostic[];
  /** Where to put the cursor; a new object each time it is meant. */
  readonly goTo: { readonly offset: number } | null;
}

/**
 * The spec's editor. It lives in a shadow tree: there, CodeMirror adds its styles as constructed style sheets, which a
 * content security policy of `style-src 'self'` allows, and not as style elements, which it does not.
 */
export function SpecEditor({ value, onChange, onSubmit, diagnostics, goTo }: SpecEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  /** Texts that were told and have not come back as the value: while they are on their way, more may be typed. */
  const told = useRef<string[]>([]);
  const changed = useEffectEvent((text: string) => {
    told.current.push(text);
    onChange(text);
  });
  const submitted = useEffectEvent(onSubmit);

  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: 'open' });
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: value,
        extensions: [
          Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => (submitted(), true) }])),
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          indentUnit.of(' '),
          indentService.of((context, at) => indentOf(context.state.doc.sliceString(0, at))),
          // Tab leaves the editor after Escape, so that the keyboard is not trapped.
          keymap.of([...lintKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
          placeholder('((from base-image)\n (run (shell "…")))'),
          specColours,
          editorTheme,
          EditorView.contentAttributes.of({ 'aria-label': 'Spec', spellcheck: 'false', autocapitalize: 'off' }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- the editor owns its text after it was made
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor === null) return;
    const echo = told.current.indexOf(value);
    told.current.splice(0, echo === -1 ? told.current.length : echo + 1);
    if (echo !== -1) return;
    const before = editor.state.doc.toString();
    const after = asEdited(value);
    // What is put in from outside is taken back by itself, not together with what was typed just before.
    if (before !== after) {
      editor.dispatch({ changes: changeBetween(before, after), annotations: isolateHistory.of('full') });
    } else if (after !== value) changed(after);
    // The value is that already, so it does not come back.
    if (after === value) told.current = [];
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null) return;
    const length = editor.state.doc.length;
    editor.dispatch(
      setDiagnostics(
        editor.state,
        diagnostics.map((each) => forEditor(each, length)),
      ),
    );
  }, [diagnostics]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || goTo === null) return;
    const at = Math.min(goTo.offset, editor.state.doc.length);
    editor.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    editor.focus();
  }, [goTo]);

  return <div ref={host} className="spec-editor" />;
}

function forEditor(diagnostic: Diagnostic, length: number): EditorDiagnostic {
  const from = Math.min(diagnostic.range.start.offset, length);
  const hint = diagnostic.hint === undefined ? '' : `\n${diagnostic.hint}`;
  return {
    from,
    to: Math.max(from, Math.min(diagnostic.range.end.offset, length)),
    severity: diagnostic.severity,
    message: diagnostic.message + hint,
    source: diagnostic.code,
  };
}

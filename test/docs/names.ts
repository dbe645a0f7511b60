import ts from 'typescript';

/** What a piece of code uses of what is around it, and what it imports. */
export interface Names {
  /** Names that it does not declare itself. */
  readonly free: ReadonlySet<string>;
  /** The modules that it imports. */
  readonly modules: readonly string[];
}

export function readNames(code: string): Names {
  const source = ts.createSourceFile('block.ts', code, ts.ScriptTarget.ESNext, true);
  const used = new Set<string>();
  const declared = new Set<string>();
  const modules: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      modules.push((node.moduleSpecifier as ts.StringLiteral).text);
    } else if (isRequire(node)) {
      modules.push((node.arguments[0] as ts.StringLiteral).text);
    } else if (ts.isIdentifier(node)) {
      if (isDeclaredForAll(node)) declared.add(node.text);
      else if (!isPropertyName(node)) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { free: new Set([...used].filter((name) => !declared.has(name))), modules };
}

function isRequire(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'require';
}

function isPropertyName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  return (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) && parent.name === node;
}

/** Whether it names an import, or something that is declared outside of all functions. */
function isDeclaredForAll(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isImportClause(parent) || ts.isImportSpecifier(parent) || ts.isNamespaceImport(parent)) return true;
  if (ts.isFunctionDeclaration(parent) || ts.isClassDeclaration(parent)) {
    return parent.name === node && ts.isSourceFile(parent.parent);
  }
  if (!ts.isVariableDeclaration(parent) && !ts.isBindingElement(parent)) return false;
  if (parent.name !== node) return false;
  let holder: ts.Node = parent;
  while (ts.isBindingElement(holder) || ts.isBindingName(holder) || ts.isVariableDeclaration(holder)) {
    holder = holder.parent;
  }
  return ts.isVariableDeclarationList(holder) && ts.isSourceFile(holder.parent.parent);
}
